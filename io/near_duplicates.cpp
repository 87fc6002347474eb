#include "limbic/io/near_duplicates.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#include "limbic/core/parallel.h"
#include "limbic/io/resize.h"

namespace limbic::io {
namespace {

constexpr int side = 32, lowest = 8, small_side = 16;

std::vector<double> grey(const Picture& picture, int64_t size) {
  const Picture fitted = resize(picture, {.height = size, .width = size});
  std::vector<double> out(static_cast<size_t>(size * size));
  for (size_t i = 0; i < out.size(); ++i) out[i] = luma(fitted.pixels.data() + 3 * i);
  return out;
}

// cos(pi (2 x + 1) u / (2 n)) for u < lowest.
const std::array<std::array<double, side>, lowest>& cosines() {
  static const auto table = [] {
    std::array<std::array<double, side>, lowest> out{};
    for (int u = 0; u < lowest; ++u)
      for (int x = 0; x < side; ++x)
        out[static_cast<size_t>(u)][static_cast<size_t>(x)] =
            std::cos(std::numbers::pi * (2 * x + 1) * u / (2 * side));
    return out;
  }();
  return table;
}

// Sum of small[y][x] other[y][x], the other mirrored or not, over the product of their roots.
double correlation(const Look& a, const Look& b, bool mirrored) {
  int64_t product = 0, own = 0, other = 0;
  for (size_t i = 0; i < a.small.size(); ++i) {
    const size_t x = i % small_side;
    const int q = b.small[mirrored ? i - x + small_side - 1 - x : i], p = a.small[i];
    product += int64_t{p} * q;
    own += int64_t{p} * p;
    other += int64_t{q} * q;
  }
  const double norm = std::sqrt(static_cast<double>(own) * static_cast<double>(other));
  return norm > 0 ? static_cast<double>(product) / norm : 0;
}

constexpr int most_signs = 10;
constexpr double least_correlation = 0.92;

}  // namespace

Look look_of(const Picture& picture) {
  Look out;
  const std::vector<double> pixels = grey(picture, side);
  std::array<std::array<double, lowest>, side> rows{};
  for (size_t y = 0; y < side; ++y)
    for (size_t u = 0; u < lowest; ++u)
      for (size_t x = 0; x < side; ++x) rows[y][u] += pixels[y * side + x] * cosines()[u][x];
  for (size_t v = 0; v < lowest; ++v)
    for (size_t u = 0; u < lowest; ++u) {
      if (u + v == 0) continue;  // the mean
      double sum = 0;
      for (size_t y = 0; y < side; ++y) sum += rows[y][u] * cosines()[v][y];
      const uint64_t bit = uint64_t{1} << (v * lowest + u);
      // Mirroring turns the sign of every odd frequency across.
      if (sum > 0) out.signs |= bit;
      if (u % 2 == 1 ? sum < 0 : sum > 0) out.mirrored |= bit;
    }
  std::vector<double> few = grey(picture, small_side);
  double mean = 0, squares = 0;
  for (double v : few) mean += v / static_cast<double>(few.size());
  for (double& v : few) squares += (v - mean) * (v - mean);
  const double deviation = std::sqrt(squares / static_cast<double>(few.size()));
  out.flat = deviation < 2;
  for (size_t i = 0; i < few.size(); ++i)
    out.small[i] = static_cast<int8_t>(
        std::clamp(std::lround(32 * (few[i] - mean) / std::max(deviation, 1.0)), -127L, 127L));
  return out;
}

bool look_alike(const Look& a, const Look& b) {
  if (a.flat || b.flat) return false;
  return (std::popcount(a.signs ^ b.signs) <= most_signs &&
          correlation(a, b, false) >= least_correlation) ||
         (std::popcount(a.mirrored ^ b.signs) <= most_signs &&
          correlation(a, b, true) >= least_correlation);
}

std::vector<std::pair<int64_t, int64_t>> near_duplicates(std::span<const std::optional<Look>> a,
                                                         std::span<const std::optional<Look>> b) {
  std::vector<std::vector<int64_t>> found(a.size());
  parallel_for_dynamic(std::ssize(a), [&](int64_t i) {
    const auto& look = a[static_cast<size_t>(i)];
    if (!look) return;
    for (size_t j = 0; j < b.size(); ++j)
      if (b[j] && look_alike(*look, *b[j]))
        found[static_cast<size_t>(i)].push_back(static_cast<int64_t>(j));
  });
  std::vector<std::pair<int64_t, int64_t>> out;
  for (size_t i = 0; i < found.size(); ++i)
    for (int64_t j : found[i]) out.emplace_back(static_cast<int64_t>(i), j);
  return out;
}

}  // namespace limbic::io
