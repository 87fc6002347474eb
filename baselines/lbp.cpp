#include "limbic/baselines/lbp.h"

#include <cmath>

#include "limbic/core/error.h"

namespace limbic::baselines {
namespace {

// Bin of each of the 256 patterns: `length` neighbours brighter from neighbour `first` on make bin
// 7 first + length - 1, none or all bin 56, anything else bin 57.
std::array<int64_t, 256> bins_of_patterns() {
  std::array<int64_t, 256> out;
  out.fill(57);
  out[0] = out[255] = 56;
  for (unsigned first = 0; first < 8; ++first)
    for (unsigned length = 1; length < 8; ++length) {
      const unsigned ones = (1u << length) - 1, turned = ones << first;
      out[(turned | turned >> 8) & 255u] = 7 * first + length - 1;
    }
  return out;
}

int64_t bin_at(const Grey& image, int64_t y, int64_t x) {
  static const std::array<int64_t, 256> bins = bins_of_patterns();
  static constexpr int dx[] = {1, 1, 0, -1, -1, -1, 0, 1}, dy[] = {0, 1, 1, 1, 0, -1, -1, -1};
  const float centre = image.at(y, x);
  unsigned pattern = 0;
  for (unsigned k = 0; k < 8; ++k)
    pattern |= static_cast<unsigned>(image.at(y + dy[k], x + dx[k]) > centre) << k;
  return bins[pattern];
}

}  // namespace

LbpCells lbp_cells(const Grey& image, int64_t cell) {
  require(cell >= 1, "LBP: a cell has at least one pixel, got ", cell);
  LbpCells out{image.height / cell, image.width / cell, {}};
  const int64_t cells = out.rows * out.columns;
  out.values.assign(static_cast<size_t>(lbp_patterns * cells), 0);
  const auto add = [&](int64_t bin, int64_t cy, int64_t cx, float weight) {
    if (cy >= 0 && cy < out.rows && cx >= 0 && cx < out.columns)
      out.values[static_cast<size_t>(bin * cells + cy * out.columns + cx)] += weight;
  };
  for (int64_t y = 1; y < image.height - 1; ++y)
    for (int64_t x = 1; x < image.width - 1; ++x) {
      const float fy = (static_cast<float>(y) + 0.5f) / static_cast<float>(cell) - 0.5f;
      const float fx = (static_cast<float>(x) + 0.5f) / static_cast<float>(cell) - 0.5f;
      const auto cy = static_cast<int64_t>(std::floor(fy)),
                 cx = static_cast<int64_t>(std::floor(fx));
      const float wy = fy - static_cast<float>(cy), wx = fx - static_cast<float>(cx);
      const int64_t bin = bin_at(image, y, x);
      add(bin, cy, cx, (1 - wy) * (1 - wx));
      add(bin, cy, cx + 1, (1 - wy) * wx);
      add(bin, cy + 1, cx, wy * (1 - wx));
      add(bin, cy + 1, cx + 1, wy * wx);
    }
  for (int64_t c = 0; c < cells; ++c) {
    float sum = 0;
    for (int64_t k = 0; k < lbp_patterns; ++k)
      sum += out.values[static_cast<size_t>(k * cells + c)];
    const float norm = std::sqrt(sum) + 1e-10f;
    for (int64_t k = 0; k < lbp_patterns; ++k) {
      float& value = out.values[static_cast<size_t>(k * cells + c)];
      value = std::sqrt(value) / norm;
    }
  }
  return out;
}

std::vector<float> lbp_histogram(const Grey& image) {
  std::vector<float> out(lbp_patterns);
  for (int64_t y = 1; y < image.height - 1; ++y)
    for (int64_t x = 1; x < image.width - 1; ++x)
      out[static_cast<size_t>(bin_at(image, y, x))] += 1;
  const auto pixels = static_cast<float>((image.height - 2) * (image.width - 2));
  if (image.height > 2 && image.width > 2)
    for (float& value : out) value = std::sqrt(value / pixels);
  return out;
}

}  // namespace limbic::baselines
