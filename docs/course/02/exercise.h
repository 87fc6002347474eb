#pragma once
#include <span>

#include "docs/course/check.h"

namespace limbic::course {

/// How a kernel goes over a picture, the same way along both axes.
struct Window {
  int64_t kernel_size = 3, stride = 1, padding = 0, dilation = 1;
};

/// Exercise 1. How many places a window has along a side of `size` pixels with `padding` zeros at
/// each end: the first begins at the first of them, each further one `stride` pixels on, and all
/// lie within. 0 where not even one does.
int64_t output_size(int64_t size, const Window& window);

/// Exercise 2. src (N,C,H,W), weight (O,C,k,k) -> (N,O,OH,OW), without a bias:
///   dst(n,o,y,x) = sum over c, u, v of weight(o,c,u,v) * src(n, c, row, column)
///   row = y * stride - padding + u * dilation, column likewise; 0 where src has no such pixel.
/// window.kernel_size is weight's k.
Array conv2d(const Array& src, const Array& weight, const Window& window);

/// Exercise 3. The side, in pixels of the picture, of what one value can see behind layers of such
/// windows, the first layer first. One pixel sees itself: 1 without layers.
int64_t receptive_field(std::span<const Window> layers);

}  // namespace limbic::course
