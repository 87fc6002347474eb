#pragma once
// The ops' options as reference/ has them.
#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/ops/local_response_norm.h"
#include "limbic/nn/ops/pool2d.h"
#include "limbic/nn/ops/reshape.h"
#include "limbic/nn/ops/upsample.h"
#include "limbic/reference/batch_norm.h"
#include "limbic/reference/conv2d.h"
#include "limbic/reference/local_response_norm.h"
#include "limbic/reference/pool2d.h"
#include "limbic/reference/reshape.h"
#include "limbic/reference/upsample.h"
#include "limbic/twins/evaluate.h"

namespace limbic::twins {

inline reference::Size2 plain(const Size2& s) { return {s.h, s.w}; }
inline reference::Padding plain(const Padding& p) { return {p.top, p.left, p.bottom, p.right}; }
inline reference::Conv2dOptions plain(const Conv2dOptions& o) {
  return {plain(o.stride), plain(o.padding), o.same_padding, plain(o.dilation), o.groups};
}
inline reference::BatchNormOptions plain(const BatchNormOptions& o) {
  return {o.epsilon, o.momentum};
}
inline reference::Pool2dOptions plain(const Pool2dOptions& o) {
  return {plain(o.kernel_size), plain(o.stride),     plain(o.padding),
          o.ceil_mode,          o.count_include_pad, o.zero_padding};
}
inline reference::LocalResponseNormOptions plain(const LocalResponseNormOptions& o) {
  return {o.size, o.alpha, o.beta, o.k};
}
inline reference::SlicePadOptions plain(const ShortcutOptions& o) {
  return {plain(o.stride), o.channels_before, o.channels_after};
}

template <class T>
const T* as(const Op& op) {
  return dynamic_cast<const T*>(&op);
}

inline std::vector<Array> copies(const std::vector<const Array*>& arrays) {
  std::vector<Array> out;
  for (const Array* array : arrays) out.push_back(*array);
  return out;
}

}  // namespace limbic::twins
