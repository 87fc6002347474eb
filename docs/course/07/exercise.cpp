#include "exercise.h"

namespace limbic::course {

double conv_seconds(const Conv& conv, const Machine& machine) {
  not_solved(conv, machine);  // exercise 1: your code in place of this line
}

std::array<Counted, 2> winograd(const std::array<Counted, 4>& d, const std::array<double, 3>& g) {
  not_solved(d, g);  // exercise 2
}

Quantised quantise(std::span<const float> values) {
  not_solved(values);  // exercise 3
}

}  // namespace limbic::course
