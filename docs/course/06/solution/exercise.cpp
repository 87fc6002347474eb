#include "../exercise.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace limbic::course {

CrossEntropy cross_entropy(const Array& logits, std::span<const int64_t> labels) {
  const auto rows = static_cast<double>(logits.shape[0]);
  CrossEntropy out{0, Array(logits.shape)};
  for (int64_t n = 0; n < logits.shape[0]; ++n) {
    const int64_t label = labels[static_cast<size_t>(n)];
    double largest = logits.at(n, 0), sum = 0;
    for (int64_t c = 0; c < logits.shape[1]; ++c) largest = std::max(largest, logits.at(n, c));
    for (int64_t c = 0; c < logits.shape[1]; ++c) sum += std::exp(logits.at(n, c) - largest);
    out.value -= (logits.at(n, label) - largest - std::log(sum)) / rows;
    for (int64_t c = 0; c < logits.shape[1]; ++c)
      out.gradient.at(n, c) =
          (std::exp(logits.at(n, c) - largest) / sum - (c == label ? 1 : 0)) / rows;
  }
  return out;
}

void momentum_step(Array& weight, Array& velocity, const Array& gradient,
                   const MomentumOptions& o) {
  for (int64_t i = 0; i < std::ssize(weight.values); ++i) {
    velocity[i] = o.momentum * velocity[i] + gradient[i] + o.weight_decay * weight[i];
    weight[i] -= o.learning_rate * velocity[i];
  }
}

double learning_rate(int64_t step, const Schedule& schedule) {
  const auto share = [](int64_t part, int64_t whole) {
    return static_cast<double>(part) / static_cast<double>(whole);
  };
  if (step < schedule.warmup) return schedule.peak * share(step + 1, schedule.warmup);
  const double way = share(step - schedule.warmup, schedule.steps - schedule.warmup);
  return schedule.peak * (1 + std::cos(std::numbers::pi * way)) / 2;
}

}  // namespace limbic::course
