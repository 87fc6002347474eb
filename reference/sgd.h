#pragma once
#include "array.h"

namespace limbic::reference {

struct SgdOptions {
  double learning_rate = 0.01;
  double momentum = 0.9;
  bool nesterov = false;
  double weight_decay = 0;  ///< L2, added to the gradient, as torch.optim.SGD does.
};

/// One step of stochastic gradient descent, PyTorch's rule:
///   g = gradient + weight_decay w;  v = momentum v + g;
///   w -= learning_rate (nesterov ? g + momentum v : v)
/// velocity is zeros of w's shape before the first step. Throws std::invalid_argument where shapes
/// differ.
void sgd_step(Array& weight, Array& velocity, const Array& gradient, const SgdOptions& o);

}  // namespace limbic::reference
