#pragma once
#include <array>
#include <span>

#include "docs/course/check.h"

namespace limbic::course {

/// Exercise 1. A photo's bytes as a network wants them.
/// bytes: H rows of W pixels of 3 values 0-255, red, green and blue beside each other.
/// -> (1,3,H,W), where channel c holds (value / 255 - mean[c]) / deviation[c].
struct PhotoOptions {
  int64_t height, width;
  std::array<double, 3> mean, deviation;
};
Array photo_to_array(std::span<const uint8_t> bytes, const PhotoOptions& o);

/// Exercise 2. Bilinear interpolation, pixels as little squares: the middle of output pixel x lies
/// at (x + 0.5) * W / width - 0.5 of the input, in whose scale pixel 0 has its middle at 0. What
/// lies outside of the input's pixels has the value of the nearest one. (N,C,H,W) -> (N,C,h,w).
Array resize_bilinear(const Array& src, reference::Size2 size);

/// Exercise 3. A camera held sideways: turned by 90 degrees clockwise, so that what was the left
/// column, read from below, is the top row. (N,C,H,W) -> (N,C,W,H).
Array turn_clockwise(const Array& src);

}  // namespace limbic::course
