#include "glyphs.h"

namespace limbic::reference {
namespace {

// The digits as 7 rows of 5 dots, the leftmost dot in the highest of 5 bits.
constexpr uint8_t font[10][7] = {
    {0x0E, 0x11, 0x13, 0x15, 0x19, 0x11, 0x0E}, {0x04, 0x0C, 0x04, 0x04, 0x04, 0x04, 0x0E},
    {0x0E, 0x11, 0x01, 0x02, 0x04, 0x08, 0x1F}, {0x1F, 0x02, 0x04, 0x02, 0x01, 0x11, 0x0E},
    {0x02, 0x06, 0x0A, 0x12, 0x1F, 0x02, 0x02}, {0x1F, 0x10, 0x1E, 0x01, 0x01, 0x11, 0x0E},
    {0x06, 0x08, 0x10, 0x1E, 0x11, 0x11, 0x0E}, {0x1F, 0x01, 0x02, 0x04, 0x08, 0x08, 0x08},
    {0x0E, 0x11, 0x11, 0x0E, 0x11, 0x11, 0x0E}, {0x0E, 0x11, 0x11, 0x0F, 0x01, 0x02, 0x0C}};
constexpr int64_t size = 28, dot = 3, height = 7 * dot, width = 5 * dot;

}  // namespace

uint64_t Random::next() {
  uint64_t z = state_ += 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

double Random::uniform(double low, double high) {
  return low + (high - low) * static_cast<double>(next() >> 11) / static_cast<double>(1LL << 53);
}

Glyphs draw_glyphs(int64_t n, Random& random) {
  Glyphs out{Array({n, 1, size, size}), {}};
  for (double& pixel : out.images.values) pixel = random.uniform(-0.25, 0.25);
  for (int64_t i = 0; i < n; ++i) {
    const int64_t digit = random.below(10);
    const int64_t top = random.below(size - height + 1);
    const int64_t left = 4 + random.below(size - width - 7);
    const double ink = random.uniform(0.5, 1);
    for (int64_t y = 0; y < height; ++y)
      for (int64_t x = 0; x < width; ++x)
        if (font[digit][y / dot] >> (4 - x / dot) & 1)
          out.images.at(i, 0, top + y, left + x) += ink;
    out.labels.push_back(digit);
  }
  return out;
}

}  // namespace limbic::reference
