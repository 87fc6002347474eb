#include "upsample.h"

#include <algorithm>
#include <cmath>

namespace limbic::reference {
namespace {

Shape upsampled(const Shape& src, Size2 scale) {
  require(src.size() == 4, "upsample: expected src (N,C,H,W), got ", src);
  require(scale.h >= 1 && scale.w >= 1, "upsample: a scale of ", scale.h, "x", scale.w);
  return {src[0], src[1], src[2] * scale.h, src[3] * scale.w};
}

// body(pixel, weight) for the pixels that output i lies between.
template <class Body>
void between(int64_t i, int64_t scale, int64_t size, const Body& body) {
  const double at = (static_cast<double>(i) + 0.5) / static_cast<double>(scale) - 0.5;
  for (int64_t p = 0; p < size; ++p) {
    const double centre = std::min(std::max(at, 0.0), static_cast<double>(size - 1));
    const double distance = std::abs(centre - static_cast<double>(p));
    if (distance < 1) body(p, 1 - distance);
  }
}

// body(y, x, weight) for the pixels of the source that output (oy, ox) is made of.
template <class Body>
void bilinear(const Shape& src, Size2 scale, int64_t oy, int64_t ox, const Body& body) {
  between(oy, scale.h, src[2], [&](int64_t y, double wy) {
    between(ox, scale.w, src[3], [&](int64_t x, double wx) { body(y, x, wy * wx); });
  });
}

}  // namespace

Array upsample_nearest(const Array& src, Size2 scale) {
  Array dst(upsampled(src.shape, scale));
  for_each(dst, [&](int64_t n, int64_t c, int64_t y, int64_t x) {
    dst.at(n, c, y, x) = src.at(n, c, y / scale.h, x / scale.w);
  });
  return dst;
}
Array upsample_nearest_backward(const Shape& src, Size2 scale, const Array& dy) {
  require_shape("upsample_nearest_backward", "dy", dy, upsampled(src, scale));
  Array dx(src);
  for_each(dy, [&](int64_t n, int64_t c, int64_t y, int64_t x) {
    dx.at(n, c, y / scale.h, x / scale.w) += dy.at(n, c, y, x);
  });
  return dx;
}

Array upsample_bilinear(const Array& src, Size2 scale) {
  Array dst(upsampled(src.shape, scale));
  for_each(dst, [&](int64_t n, int64_t c, int64_t oy, int64_t ox) {
    bilinear(src.shape, scale, oy, ox, [&](int64_t y, int64_t x, double weight) {
      dst.at(n, c, oy, ox) += weight * src.at(n, c, y, x);
    });
  });
  return dst;
}
Array upsample_bilinear_backward(const Shape& src, Size2 scale, const Array& dy) {
  require_shape("upsample_bilinear_backward", "dy", dy, upsampled(src, scale));
  Array dx(src);
  for_each(dy, [&](int64_t n, int64_t c, int64_t oy, int64_t ox) {
    bilinear(src, scale, oy, ox, [&](int64_t y, int64_t x, double weight) {
      dx.at(n, c, y, x) += weight * dy.at(n, c, oy, ox);
    });
  });
  return dx;
}

}  // namespace limbic::reference
