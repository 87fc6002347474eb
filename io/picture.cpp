#include "limbic/io/picture.h"

#include <algorithm>

namespace limbic::io {

Picture crop(const Picture& src, const Region& region) {
  Picture dst(region.height, region.width);
  const int64_t x0 = std::max<int64_t>(0, region.left);
  const int64_t x1 = std::min(src.width, region.left + region.width);
  const int64_t y0 = std::max<int64_t>(0, region.top);
  const int64_t y1 = std::min(src.height, region.top + region.height);
  if (x0 >= x1) return dst;
  for (int64_t y = y0; y < y1; ++y)
    std::copy(src.row(y) + x0 * 3, src.row(y) + x1 * 3,
              dst.row(y - region.top) + (x0 - region.left) * 3);
  return dst;
}

void flip_horizontally(Picture& picture) {
  for (int64_t y = 0; y < picture.height; ++y) {
    uint8_t* row = picture.row(y);
    for (int64_t a = 0, b = picture.width - 1; a < b; ++a, --b)
      std::swap_ranges(row + a * 3, row + a * 3 + 3, row + b * 3);
  }
}

Picture apply_orientation(Picture src, int orientation) {
  if (orientation < 2 || orientation > 8) return src;
  // Orientations 5-8 swap the axes. What the upright row and column are in the stored picture:
  const bool swapped = orientation >= 5;
  const bool from_bottom = orientation == 3 || orientation == 4 || orientation == 7 ||
                           orientation == 8;  // upright x (swapped) or y runs from its far end
  const bool from_right =
      orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
  Picture dst(swapped ? src.width : src.height, swapped ? src.height : src.width);
  for (int64_t y = 0; y < dst.height; ++y) {
    uint8_t* out = dst.row(y);
    for (int64_t x = 0; x < dst.width; ++x, out += 3) {
      int64_t row = y, column = x;
      if (swapped) {
        row = from_right ? src.height - 1 - x : x;
        column = from_bottom ? src.width - 1 - y : y;
      } else {
        if (from_bottom) row = src.height - 1 - y;
        if (from_right) column = src.width - 1 - x;
      }
      std::copy_n(src.row(row) + column * 3, 3, out);
    }
  }
  return dst;
}

}  // namespace limbic::io
