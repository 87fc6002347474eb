#pragma once
#include <span>

#include "array.h"

namespace limbic::reference {

struct CrossEntropyOptions {
  std::vector<double> class_weights;  ///< One for each class, or none.
  double label_smoothing = 0;         ///< Share of the target spread over all classes.
};

struct Loss {
  double value;
  Array logits;  ///< The derivative of value with respect to the logits.
};

/// Softmax cross entropy, mean over the rows (PyTorch's nn.CrossEntropyLoss), natural logarithm:
///   target(n,c) = w_c ((1 - s) [c = label_n] + s / C),  p = softmax(logits),  W = sum_n
///   w_{label_n} value = -sum_n sum_c target(n,c) log p(n,c) / W logits(n,c) = (p(n,c) sum_k
///   target(n,k) - target(n,c)) / W
/// logits (N,C); labels N in [0,C), a label of -1 leaves its row out; value is 0 where all are left
/// out. Throws std::invalid_argument where sizes do not fit, a label is out of range, the smoothing
/// is not in [0,1], or class weights are negative or those of the labels sum to 0.
Loss softmax_cross_entropy(const Array& logits, std::span<const int64_t> labels,
                           const CrossEntropyOptions& o = {});

/// value = the mean of (prediction - target)^2 (PyTorch's nn.MSELoss); its derivative is
/// 2 (prediction - target) over the number of elements. Throws std::invalid_argument where shapes
/// differ.
Loss mean_squared_error(const Array& predictions, const Array& targets);
/// value = the mean of -t log s - (1 - t) log(1 - s), s = 1 / (1 + exp(-logit)) (PyTorch's
/// nn.BCEWithLogitsLoss); its derivative is s - t over the number of elements. Throws likewise.
Loss binary_cross_entropy(const Array& logits, const Array& targets);

}  // namespace limbic::reference
