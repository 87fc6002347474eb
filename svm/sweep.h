#pragma once
#include <functional>
#include <span>
#include <vector>

#include "limbic/svm/cross_validation.h"

namespace limbic::svm {

/// An RBF kernel over weighted blocks of features:
/// exp(-gamma * sum over blocks b of weight_b^2 ||x_b - y_b||^2).
struct SweepKernel {
  std::vector<double> weights;  ///< One for each block.
  double gamma = 1;
};

struct SweepOptions {
  std::vector<SweepKernel> kernels;
  std::vector<double> C;
  /// Of each row: rows of fold 0, 1, ... are held out together, one fold after the other, and
  /// labelled by a model that the others trained; rows of fold -1 always train.
  std::vector<int> fold;
  SvcOptions
      svc;  ///< Of all cells; C, kernel and gamma apart. The budget is that of distances too.
  /// Whether a cell is known already, and need not be reported.
  std::function<bool(size_t kernel, double C)> known = [](size_t, double) { return false; };
};

/// What came out for one kernel and one C.
struct SweepCell {
  size_t kernel = 0;
  double C = 1;
  /// Label of each held-out row, no_label where no others train; rows that always train
  /// keep theirs.
  std::vector<int> predicted;
  bool converged = true;
  int64_t iterations = 0;  ///< Of all solvers of the cell.
};

/// done(cell) for each kernel and C that is not known, C ascending. All kernels share the blocks'
/// distances where these fit the budget, and the solvers start from what they found for the C
/// before. A kernel is always begun at its smallest C, so that an interrupted sweep ends with the
/// same numbers. Throws Error as train_svc does, and for folds, weights or gammas that do not fit.
void sweep(std::span<const Tensor> blocks, std::span<const int> labels, const SweepOptions& options,
           const std::function<void(const SweepCell&)>& done);

}  // namespace limbic::svm
