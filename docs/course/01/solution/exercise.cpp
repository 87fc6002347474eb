#include "../exercise.h"

#include <algorithm>

namespace limbic::course {

Array photo_to_array(std::span<const uint8_t> bytes, const PhotoOptions& o) {
  Array out({1, 3, o.height, o.width});
  for_each(out, [&](int64_t n, int64_t c, int64_t y, int64_t x) {
    const auto channel = static_cast<size_t>(c);
    const double value = bytes[static_cast<size_t>((y * o.width + x) * 3 + c)];
    out.at(n, c, y, x) = (value / 255 - o.mean[channel]) / o.deviation[channel];
  });
  return out;
}

namespace {

// Between which two pixels an output pixel's middle lies, and how near it is to the second.
struct Between {
  int64_t first, second;
  double share;
};

Between between(int64_t i, int64_t from, int64_t to) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double middle = (static_cast<double>(i) + 0.5) * scale - 0.5;
  const double inside = std::clamp(middle, 0.0, static_cast<double>(from - 1));
  const auto first = static_cast<int64_t>(inside);
  return {first, std::min(first + 1, from - 1), inside - static_cast<double>(first)};
}

}  // namespace

Array resize_bilinear(const Array& src, reference::Size2 size) {
  Array dst({src.shape[0], src.shape[1], size.h, size.w});
  for_each(dst, [&](int64_t n, int64_t c, int64_t y, int64_t x) {
    const Between v = between(y, src.shape[2], size.h), h = between(x, src.shape[3], size.w);
    const auto row = [&](int64_t line) {
      return (1 - h.share) * src.at(n, c, line, h.first) + h.share * src.at(n, c, line, h.second);
    };
    dst.at(n, c, y, x) = (1 - v.share) * row(v.first) + v.share * row(v.second);
  });
  return dst;
}

Array turn_clockwise(const Array& src) {
  Array dst({src.shape[0], src.shape[1], src.shape[3], src.shape[2]});
  for_each(dst, [&](int64_t n, int64_t c, int64_t y, int64_t x) {
    dst.at(n, c, y, x) = src.at(n, c, src.shape[2] - 1 - x, y);
  });
  return dst;
}

}  // namespace limbic::course
