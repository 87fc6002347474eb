#pragma once
#include <optional>
#include <string>

#include "limbic/io/picture.h"

namespace limbic::io {

enum class Filter { nearest, box, bilinear, bicubic, lanczos };

std::string to_string(Filter filter);
/// Throws Error listing the names.
Filter filter_from(const std::string& name);

/// Each pass rounds to 8 bits, so their order shows. Pillow up to 12 always goes along rows first;
/// from 13 on it goes down columns first where the height shrinks by more than twice what the width
/// does. The published networks were trained and measured with the first.
enum class PassOrder { horizontal_first, pillow_13 };

struct ResizeOptions {
  int64_t height, width;
  Filter filter = Filter::bilinear;
  PassOrder order = PassOrder::horizontal_first;
  /// Cut this out of the picture first; default: all of it.
  std::optional<Region> source = std::nullopt;
  /// Compute only this part of the result; default: all of it.
  std::optional<Region> part = std::nullopt;
};

/// Antialiased resize, equal to Pillow's Image.resize to the last bit: (H,W) -> (height,width), or
/// the part's size. Two passes, each with 22-bit fixed-point coefficients and
/// rounded to 8 bits; a filter grows with the scale when shrinking. Throws Error on an empty size
/// or a region outside its picture. Source: Pillow, src/libImaging/Resample.c.
Picture resize(const Picture& src, const ResizeOptions& options);

/// At most `side` pixels a side, in its proportions: smaller pictures as they are.
Picture shrunk(const Picture& picture, int64_t side);

}  // namespace limbic::io
