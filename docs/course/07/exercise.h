#pragma once
#include <array>
#include <span>

#include "docs/course/check.h"

namespace limbic::course {

struct Machine {
  double flops_per_second, bytes_per_second;
};

/// A convolution of stride 1 whose output has the input's height and width.
struct Conv {
  double in_channels, out_channels, height, width, kernel_size;
};

/// Exercise 1. The least seconds that it can take by the roofline: a multiplication and an addition
/// are two operations; src, weights and dst, f32, go through memory once each; and computing and
/// moving happen at the same time.
double conv_seconds(const Conv& conv, const Machine& machine);

/// A number that counts how often it is multiplied by a weight.
struct Counted {
  double value = 0;
  static inline int multiplications = 0;
};
inline Counted operator+(Counted a, Counted b) { return {a.value + b.value}; }
inline Counted operator-(Counted a, Counted b) { return {a.value - b.value}; }
inline Counted operator*(Counted a, double weight) {
  ++Counted::multiplications;
  return {a.value * weight};
}
inline Counted operator*(double weight, Counted a) { return a * weight; }

/// Exercise 2. Winograd's F(2,3): d0 g0 + d1 g1 + d2 g2 and d1 g0 + d2 g1 + d3 g2 with no more than
/// four multiplications of a Counted. What is computed of g alone costs nothing.
std::array<Counted, 2> winograd(const std::array<Counted, 4>& d, const std::array<double, 3>& g);

/// Exercise 3. Symmetric 8-bit numbers: value is about scale * level, the levels are whole numbers
/// from -127 to 127, and the value of the largest magnitude has one of the two ends. Round to the
/// nearest. Zeros alone have scale 1.
struct Quantised {
  double scale;
  std::vector<int8_t> levels;
};
Quantised quantise(std::span<const float> values);

}  // namespace limbic::course
