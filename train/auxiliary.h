#pragma once
#include <vector>

#include "limbic/nn/loss.h"

namespace limbic::train {

/// A second question that a network answers beside its classes: which group the class is of. Its
/// logits stand behind those of the classes.
struct AuxiliaryLoss {
  std::vector<int64_t> group;  ///< Of each class, from 0; empty: there is no second question.
  double weight = 0.5;

  int64_t groups() const;
};

/// cross-entropy of the first columns against the labels + weight * that of the others against the
/// labels' groups. logits (N, classes + groups), `diff` alike; options as in softmax_cross_entropy,
/// for the classes alone; both losses are divided by the normaliser. Throws Error where sizes do
/// not fit.
double softmax_cross_entropy(const Tensor& logits, std::span<const int64_t> labels,
                             std::span<float> diff, const CrossEntropyOptions& options,
                             double normaliser, const AuxiliaryLoss& auxiliary);

/// Columns [begin, end) of rows (N,D): (N, end - begin); the rows themselves where these are all.
Tensor columns(const Tensor& rows, int64_t begin, int64_t end);

}  // namespace limbic::train
