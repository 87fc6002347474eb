#pragma once
#include <vector>

#include "limbic/core/tensor.h"

namespace limbic::emotion {

struct SoftmaxClassifierOptions {
  double weight_decay = 1e-3;  ///< lambda of the penalty; > 0.
  int64_t max_steps = 200;     ///< Newton steps; some ten suffice.
};

/// The paper's dense layer with softmax on the frozen, fused vector: p = softmax(W x + b).
struct SoftmaxClassifier {
  Tensor weight;          ///< (classes,features)
  Tensor bias;            ///< (classes)
  bool converged = true;  ///< false where the steps ended before the loss was at its least.
  double loss = 0;        ///< The penalised loss on the training rows, natural logarithm.

  /// x (N,features) -> probabilities (N,classes).
  Tensor probabilities(const Tensor& x) const;
};

/// The W and b of the least penalised loss over the rows x F32 (n,d) and labels 0 ... classes-1,
///
///   mean over rows of -log p(label) + weight_decay / 2 ||W||^2,
///
/// within 1e-4 of it, whatever the width of x; scikit-learn's LogisticRegression finds the same
/// with C = 1 / (n weight_decay). The penalty keeps alpha and beta at work: a block that was
/// weighted by a needs weights 1/a times as large, which cost 1/a^2; without it the layer would
/// scale each block back. Throws Error for other shapes or labels, features that are not finite,
/// and options out of range. Source: Lin, Weng, Keerthi, "Trust region Newton method for
/// large-scale logistic regression", JMLR 9, 2008; steps by conjugate gradients, Steihaug, SIAM J.
/// Numer. Anal. 20, 1983.
SoftmaxClassifier train_softmax_classifier(const Tensor& x, const std::vector<int64_t>& labels,
                                           int64_t classes,
                                           const SoftmaxClassifierOptions& options = {});

}  // namespace limbic::emotion
