#include "../exercise.h"

#include <algorithm>
#include <cmath>

namespace limbic::course {

double conv_seconds(const Conv& conv, const Machine& machine) {
  const double pixels = conv.height * conv.width;
  const double weights = conv.in_channels * conv.out_channels * conv.kernel_size * conv.kernel_size;
  const double flops = 2 * weights * pixels;
  const double bytes = 4 * (weights + (conv.in_channels + conv.out_channels) * pixels);
  return std::max(flops / machine.flops_per_second, bytes / machine.bytes_per_second);
}

std::array<Counted, 2> winograd(const std::array<Counted, 4>& d, const std::array<double, 3>& g) {
  const Counted first = (d[0] - d[2]) * g[0];
  const Counted sum = (d[1] + d[2]) * ((g[0] + g[1] + g[2]) / 2);
  const Counted difference = (d[2] - d[1]) * ((g[0] - g[1] + g[2]) / 2);
  const Counted last = (d[3] - d[1]) * g[2];
  return {first + sum + difference, sum - difference + last};
}

Quantised quantise(std::span<const float> values) {
  double largest = 0;
  for (const double x : values) largest = std::max(largest, std::abs(x));
  Quantised out{largest > 0 ? largest / 127 : 1, {}};
  for (const double x : values)
    out.levels.push_back(static_cast<int8_t>(std::lround(x / out.scale)));
  return out;
}

}  // namespace limbic::course
