#pragma once
#include "array.h"

// Larger by whole numbers, PyTorch's interpolate with align_corners off:
// (N,C,H,W) -> (N,C,H*scale.h,W*scale.w). Each backward takes the shape of src and dy, the gradient
// of dst, and gives the gradient of src: each pixel takes dy times what it weighed. All throw
// std::invalid_argument where shapes do not fit or a scale is below 1.
namespace limbic::reference {

/// dst(n,c,y,x) = src(n, c, floor(y / scale.h), floor(x / scale.w)).
Array upsample_nearest(const Array& src, Size2 scale);
Array upsample_nearest_backward(const Shape& src, Size2 scale, const Array& dy);

/// dst(n,c,y,x) = src at ((y + 0.5) / scale.h - 0.5, (x + 0.5) / scale.w - 0.5), between its four
/// pixels by their distances; what lies before the first pixel or behind the last is that pixel.
Array upsample_bilinear(const Array& src, Size2 scale);
Array upsample_bilinear_backward(const Shape& src, Size2 scale, const Array& dy);

}  // namespace limbic::reference
