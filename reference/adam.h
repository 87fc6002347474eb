#pragma once
#include "array.h"

namespace limbic::reference {

struct AdamOptions {
  double learning_rate = 0.001;
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double weight_decay = 0;
  bool decoupled = false;  ///< AdamW: the decay shrinks the weight and is not in the gradient.
};

/// Step t (from 1) of Adam (Kingma and Ba 2015, algorithm 1), as torch.optim.Adam and AdamW:
///   decoupled: w -= learning_rate weight_decay w;  else: gradient += weight_decay w
///   m = beta1 m + (1 - beta1) gradient;  v = beta2 v + (1 - beta2) gradient^2
///   w -= learning_rate m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon)
/// m and v are zeros of w's shape before the first step. Throws std::invalid_argument where shapes
/// differ.
void adam_step(Array& weight, Array& m, Array& v, int64_t t, const Array& gradient,
               const AdamOptions& o);

}  // namespace limbic::reference
