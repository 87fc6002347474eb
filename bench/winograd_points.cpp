// The rounding error of Winograd's convolution in f32 for several choices of points: one tile, its
// products summed over CHANNELS input channels, normal numbers, against the definition in f64.
//   bench_winograd_points [CHANNELS]
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "limbic/core/random.h"
#include "tests/reference/winograd.h"

using namespace limbic;

namespace {

using Doubles = std::vector<std::vector<double>>;
using Floats = std::vector<std::vector<float>>;

Floats zeros(size_t rows, size_t cols) { return Floats(rows, std::vector<float>(cols)); }

// a x a^T, every step rounded to f32.
Floats both_ways(const Doubles& a, const Floats& x) {
  Floats half = zeros(a.size(), x[0].size()), out = zeros(a.size(), a.size());
  for (size_t i = 0; i < a.size(); ++i)
    for (size_t j = 0; j < x[0].size(); ++j)
      for (size_t k = 0; k < x.size(); ++k) half[i][j] += static_cast<float>(a[i][k]) * x[k][j];
  for (size_t i = 0; i < a.size(); ++i)
    for (size_t j = 0; j < a.size(); ++j)
      for (size_t k = 0; k < x[0].size(); ++k)
        out[i][j] += half[i][k] * static_cast<float>(a[j][k]);
  return out;
}

double error(const std::vector<double>& points, int channels) {
  const auto matrices = twins::winograd_matrices(points);
  const size_t m = points.size() - 1, n = m + 2;
  Random random(5);
  double difference = 0, norm = 0;
  for (int trial = 0; trial < 400; ++trial) {
    Floats product = zeros(n, n);
    Doubles expected(m, std::vector<double>(m));
    for (int c = 0; c < channels; ++c) {
      Floats d = zeros(n, n), g = zeros(3, 3);
      for (auto& row : d)
        for (float& x : row) x = static_cast<float>(random.normal());
      for (auto& row : g)
        for (float& x : row) x = static_cast<float>(random.normal());
      const Floats v = both_ways(matrices.bt, d), u = both_ways(matrices.g, g);
      for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j < n; ++j) product[i][j] += u[i][j] * v[i][j];
      for (size_t i = 0; i < m; ++i)
        for (size_t j = 0; j < m; ++j)
          for (size_t k = 0; k < 9; ++k)
            expected[i][j] += double{d[i + k / 3][j + k % 3]} * double{g[k / 3][k % 3]};
    }
    const Floats got = both_ways(matrices.at, product);
    for (size_t i = 0; i < m; ++i)
      for (size_t j = 0; j < m; ++j) {
        difference += std::pow(got[i][j] - expected[i][j], 2);
        norm += std::pow(expected[i][j], 2);
      }
  }
  return std::sqrt(difference / norm);
}

}  // namespace

int main(int argc, char** argv) {
  const int channels = argc > 1 ? std::atoi(argv[1]) : 128;
  std::printf("%d input channels\n\nF(2,3)  0 +-1            %.2e\n", channels,
              error({0, 1, -1}, channels));
  const double pairs[][2] = {{1, 2},       {0.5, 1},    {0.5, 2},     {0.75, 1.5},
                             {0.625, 1.5}, {0.5, 1.25}, {0.625, 1.25}};
  for (const auto& [a, b] : pairs)
    std::printf("F(4,3)  0 +-%-5g +-%-5g  %.2e\n", a, b, error({0, a, -a, b, -b}, channels));
  return 0;
}
