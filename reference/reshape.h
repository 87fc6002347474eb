#pragma once
#include "array.h"

namespace limbic::reference {

/// (N,C,H,W) -> (N, C*H*W), features in PyTorch's order (channel, then row, then column). Throws
/// std::invalid_argument for another rank.
Array flatten(const Array& src);
/// The gradient of src: dy in src's shape.
Array flatten_backward(const Array& src, const Array& dy);

struct SlicePadOptions {
  Size2 stride = 1;
  int64_t channels_before = 0, channels_after = 0;
};

/// Every stride-th pixel and zeros around the channels, the option-A shortcut of the CIFAR ResNets
/// (He et al. 2015, section 4.2): dst(n, before + c, y, x) = src(n, c, y*sh, x*sw).
/// (N,C,H,W) -> (N, before+C+after, ceil(H/sh), ceil(W/sw)). Throws std::invalid_argument where
/// shape or options do not fit.
Array slice_pad(const Array& src, const SlicePadOptions& o);
/// The gradient of src: dy where a pixel was read, 0 elsewhere.
Array slice_pad_backward(const Array& src, const SlicePadOptions& o, const Array& dy);

}  // namespace limbic::reference
