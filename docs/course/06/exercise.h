#pragma once
#include <span>

#include "docs/course/check.h"

namespace limbic::course {

/// Exercise 1. Softmax cross entropy, the mean over N rows: with p = softmax(logits),
///   value = -1/N sum over n of log p(n, label_n)
/// and its gradient with respect to the logits. Logits of 1000 and -1000 must do no harm.
/// logits (N,C).
struct CrossEntropy {
  double value;
  Array gradient;
};
CrossEntropy cross_entropy(const Array& logits, std::span<const int64_t> labels);

/// Exercise 2. A step of gradient descent with momentum and weight decay:
///   g = gradient + weight_decay * weight,   velocity = momentum * velocity + g,
///   weight = weight - learning_rate * velocity
/// weight and velocity are changed in place.
struct MomentumOptions {
  double learning_rate = 0.1, momentum = 0.9, weight_decay = 0;
};
void momentum_step(Array& weight, Array& velocity, const Array& gradient, const MomentumOptions& o);

/// Exercise 3. The learning rate of step 0, 1, ..., steps - 1. In the first `warmup` steps it grows
/// in equal parts, of which the first is not 0 and the last is `peak`; then it follows half a
/// cosine: peak at step `warmup`, towards 0, which step `steps` would have.
struct Schedule {
  double peak;
  int64_t warmup, steps;
};
double learning_rate(int64_t step, const Schedule& schedule);

}  // namespace limbic::course
