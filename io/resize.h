#pragma once
#include <optional>
#include <string>

#include "io/picture.h"

namespace limbic {

enum class Filter { nearest, box, bilinear, bicubic, lanczos };

std::string to_string(Filter filter);
/// Throws Error listing the names.
Filter filter_from(const std::string& name);

struct ResizeOptions {
  int64_t height, width;
  Filter filter = Filter::bilinear;
  /// Cut this out of the picture first; default: all of it.
  std::optional<Region> source = std::nullopt;
  /// Compute only this part of the result; default: all of it.
  std::optional<Region> part = std::nullopt;
};

/// Antialiased resize, equal to Pillow's Image.resize to the last bit: (H,W) -> (height,width), or
/// the part's size. Two passes, columns first, each with 22-bit fixed-point coefficients and
/// rounded to 8 bits; a filter grows with the scale when shrinking. Throws Error on an empty size
/// or a region outside its picture. Source: Pillow, src/libImaging/Resample.c.
Picture resize(const Picture& src, const ResizeOptions& options);

}  // namespace limbic
