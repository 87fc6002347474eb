#include "reshape.h"

namespace limbic::reference {

Array flatten(const Array& src) {
  require_images("flatten", src);
  Array dst = src;  // row-major (C,H,W) is the order wanted
  dst.shape = {src.shape[0], src.shape[1] * src.shape[2] * src.shape[3]};
  return dst;
}

Array flatten_backward(const Array& src, const Array& dy) {
  require_shape("flatten_backward", "dy", dy, flatten(src).shape);
  Array dx = dy;
  dx.shape = src.shape;
  return dx;
}

namespace {

Shape sliced_shape(const Array& src, const SlicePadOptions& o) {
  require_images("slice_pad", src);
  require(o.stride.h > 0 && o.stride.w > 0 && o.channels_before >= 0 && o.channels_after >= 0,
          "slice_pad: stride must be positive, channels not negative");
  return {src.shape[0], o.channels_before + src.shape[1] + o.channels_after,
          (src.shape[2] + o.stride.h - 1) / o.stride.h,
          (src.shape[3] + o.stride.w - 1) / o.stride.w};
}

// body(index of dst, index of src) for each pixel that is read.
template <class Body>
void for_each_read(const Array& src, const Array& dst, const SlicePadOptions& o, const Body& body) {
  for_each(dst, [&](int64_t n, int64_t c, int64_t y, int64_t x) {
    const int64_t from = c - o.channels_before;
    if (from >= 0 && from < src.shape[1])
      body(dst.index(n, c, y, x), src.index(n, from, y * o.stride.h, x * o.stride.w));
  });
}

}  // namespace

Array slice_pad(const Array& src, const SlicePadOptions& o) {
  Array dst(sliced_shape(src, o));
  for_each_read(src, dst, o, [&](size_t d, size_t s) { dst.values[d] = src.values[s]; });
  return dst;
}

Array slice_pad_backward(const Array& src, const SlicePadOptions& o, const Array& dy) {
  require_shape("slice_pad_backward", "dy", dy, sliced_shape(src, o));
  Array dx(src.shape);
  for_each_read(src, dy, o, [&](size_t d, size_t s) { dx.values[s] = dy.values[d]; });
  return dx;
}

}  // namespace limbic::reference
