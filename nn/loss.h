#pragma once
#include <span>
#include <vector>

#include "limbic/core/tensor.h"

namespace limbic {

struct CrossEntropyOptions {
  std::vector<float> class_weights;  ///< One for each class, or none.
  double label_smoothing = 0;        ///< Share of the target spread over all classes.
};

/// Softmax cross-entropy, PyTorch's definition (nn.CrossEntropyLoss, reduction "mean"):
///   target(n,c) = (1 - s) [c = label_n] + s / C,  p = softmax(logits)
///   loss = -sum_n sum_c w_c target(n,c) log p(n,c) / W,  W = sum_n w_{label_n}
/// logits (N,C); labels N in [0,C), a label of -1 leaves its row out. `diff`, if not empty, takes
/// d loss / d logits (N,C). Natural logarithm. `normaliser` replaces W where it is positive: a
/// micro-batch's share of a larger batch. Returns the loss (0 where all rows are left out); NaN or
/// infinite logits give NaN. Throws Error where sizes do not fit, a label is out of range, the
/// smoothing is not in [0,1], or class weights are negative or those of the labels sum to 0.
/// Plain twin: reference/loss.h.
double softmax_cross_entropy(const Tensor& logits, std::span<const int64_t> labels,
                             std::span<float> diff, const CrossEntropyOptions& options = {},
                             double normaliser = 0);

/// Losses of each element, PyTorch's definitions with reduction "mean": predictions (or logits x)
/// and targets t of one shape. `diff`, if not empty, takes the gradient of the loss with respect to
/// the predictions. `normaliser` replaces the number of elements where it is positive. Throw Error
/// where sizes do not fit. Plain twins: reference/loss.h.
///
/// (prediction - target)^2, PyTorch's nn.MSELoss.
double mean_squared_error(const Tensor& predictions, const Tensor& targets, std::span<float> diff,
                          double normaliser = 0);
/// -t log s - (1 - t) log(1 - s), s = sigmoid(x), natural logarithm: PyTorch's
/// nn.BCEWithLogitsLoss. Throws Error also on a target that is not in [0,1].
double binary_cross_entropy(const Tensor& logits, const Tensor& targets, std::span<float> diff,
                            double normaliser = 0);

}  // namespace limbic
