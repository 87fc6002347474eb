#include "sgd.h"

namespace limbic::reference {

void sgd_step(Array& weight, Array& velocity, const Array& gradient, const SgdOptions& o) {
  require_shape("sgd_step", "velocity", velocity, weight.shape);
  require_shape("sgd_step", "gradient", gradient, weight.shape);
  for (size_t i = 0; i < weight.values.size(); ++i) {
    double &w = weight.values[i], &v = velocity.values[i];
    const double g = gradient.values[i] + o.weight_decay * w;
    v = o.momentum * v + g;
    w -= o.learning_rate * (o.nesterov ? g + o.momentum * v : v);
  }
}

}  // namespace limbic::reference
