#include "adam.h"

#include <cmath>

namespace limbic::reference {

void adam_step(Array& weight, Array& m, Array& v, int64_t t, const Array& gradient,
               const AdamOptions& o) {
  require_shape("adam_step", "m", m, weight.shape);
  require_shape("adam_step", "v", v, weight.shape);
  require_shape("adam_step", "gradient", gradient, weight.shape);
  const auto steps = static_cast<double>(t);
  for (size_t i = 0; i < weight.values.size(); ++i) {
    double g = gradient.values[i], &w = weight.values[i];
    if (o.decoupled)
      w -= o.learning_rate * o.weight_decay * w;
    else
      g += o.weight_decay * w;
    m.values[i] = o.beta1 * m.values[i] + (1 - o.beta1) * g;
    v.values[i] = o.beta2 * v.values[i] + (1 - o.beta2) * g * g;
    const double mean = m.values[i] / (1 - std::pow(o.beta1, steps));
    const double square = v.values[i] / (1 - std::pow(o.beta2, steps));
    w -= o.learning_rate * mean / (std::sqrt(square) + o.epsilon);
  }
}

}  // namespace limbic::reference
