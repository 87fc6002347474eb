#pragma once
#include <vector>

#include "nn/core/tensor.h"

namespace limbic {

struct SoftmaxClassifierOptions {
  int64_t epochs = 200;
  int64_t batch_size = 64;
  double learning_rate = 0.05;
  double momentum = 0.9;
  double weight_decay = 1e-3;
  int64_t patience = 20;  ///< Epochs without a lower loss on the held-out tenth.
  uint64_t seed = 0;
};

/// The paper's dense layer with softmax on the frozen, fused vector: p = softmax(W x + b).
struct SoftmaxClassifier {
  Tensor weight;  ///< (classes,features)
  Tensor bias;    ///< (classes)

  /// x (N,features) -> probabilities (N,classes).
  Tensor probabilities(const Tensor& x) const;
};

/// SGD with weight decay, stopped early on a tenth of the rows. Both matter: trained without them
/// to convergence, the layer would scale each block back and undo alpha and beta.
SoftmaxClassifier train_softmax_classifier(const Tensor& x, const std::vector<int64_t>& labels,
                                           int64_t classes,
                                           const SoftmaxClassifierOptions& options = {});

}  // namespace limbic
