#pragma once
// io: from files to batches: decode, resize as Pillow does, presets, augmentation, data sets,
// loader.
#include <cstddef>
#include <cstdint>
#include <vector>

namespace limbic::io {

/// An 8-bit RGB picture: pixels (height, width, 3), interleaved, 0-255.
struct Picture {
  int64_t height = 0, width = 0;
  std::vector<uint8_t> pixels;

  Picture() = default;
  /// Black.
  Picture(int64_t h, int64_t w)
      : height(h), width(w), pixels(static_cast<size_t>(h) * static_cast<size_t>(w) * 3) {}

  uint8_t* row(int64_t y) { return pixels.data() + y * width * 3; }
  const uint8_t* row(int64_t y) const { return pixels.data() + y * width * 3; }
  bool operator==(const Picture&) const = default;
};

/// Brightness of an RGB pixel, 0-255: ITU-R 601-2 in 16-bit fixed point, as Pillow's convert("L").
inline int luma(const uint8_t* rgb) {
  return (rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 0x8000) >> 16;
}

/// A rectangle in pixels; it may reach beyond the picture where a function says so.
struct Region {
  int64_t top = 0, left = 0, height = 0, width = 0;
  bool operator==(const Region&) const = default;
};

/// The pixels of `region`; black where it lies outside the picture.
Picture crop(const Picture& src, const Region& region);
/// Mirrors left and right in place.
void flip_horizontally(Picture& picture);
/// The upright picture of one stored under EXIF orientation 1-8; other values change nothing.
/// Source: Exif 2.32, tag 0x0112.
Picture apply_orientation(Picture src, int orientation);

}  // namespace limbic::io
