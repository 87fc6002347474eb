#pragma once
#include <optional>

#include "limbic/svm/one_vs_one.h"

namespace limbic::svm {

/// The kernel that all trainings on one data set share (pairs of classes, folds, values of C): the
/// whole matrix where it fits the budget, else rows that are computed when they are needed.
class TrainingKernel {
 public:
  /// x F32 (n,d), sample i being row order[i] of x.
  TrainingKernel(const Tensor& x, const KernelOptions& options,
                 std::span<const int64_t> order = {});

  /// A kernel matrix F32 (n,n) that is there already.
  explicit TrainingKernel(const Tensor& whole) : whole_(whole) {}

  int64_t samples() const { return in_memory() ? whole_.dim(0) : kernel_->samples(); }
  bool in_memory() const { return whole_.rank() == 2; }

  /// Rows for one solver: those of `samples`, of which sample t is the t-th, and which variable
  /// belongs to which row of them.
  struct Rows {
    std::unique_ptr<KernelRows> kernel;
    std::vector<int64_t> rows;
  };
  /// `share` of the budget, for solvers at work at the same time.
  Rows rows_of(std::vector<int64_t> samples, double share = 1) const;

  /// K of `rows` with `columns` -> F32 (rows,columns).
  Tensor values(std::span<const int64_t> rows, std::span<const int64_t> columns) const;

 private:
  std::optional<SampleKernel> kernel_;
  int64_t budget_bytes_ = 0;
  Tensor whole_;
};

/// Solves every pair of classes, in parallel. The model lacks its support vectors, whose samples
/// stand in support_indices; kernel and gamma are the caller's to fill in. `alphas`, where it is
/// given, holds each pair's feasible alpha to begin with (or nothing) and receives what was found.
SvcModel solve_one_vs_one(const TrainingKernel& kernel, const ClassRows& classes,
                          const SvcOptions& options,
                          std::vector<std::vector<double>>* alphas = nullptr);

/// A two-class problem over samples of a TrainingKernel; those of `first` are positive.
struct PairProblem {
  std::span<const int64_t> first, second;
  double C_first = 1, C_second = 1;
  std::span<const double> start = {};  ///< See SmoProblem.
  double share = 1;                    ///< Of the budget.
};
SmoResult solve_pair(const TrainingKernel& kernel, const PairProblem& pair,
                     const SmoOptions& options);

/// C of a class: that of the options times the class' weight.
double class_C(const SvcOptions& options, int label);

/// Rows of x to keep in a model; of a precomputed kernel only column 0, the samples' numbers.
Tensor support_rows(const Tensor& x, std::span<const int64_t> rows, KernelType kernel);

/// Throws Error for features, labels or options that train_svc refuses.
void check_training(const Tensor& x, std::span<const int> labels, const SvcOptions& options);

/// What a solver is told of the options.
SmoOptions smo_options(const SvcOptions& options);

}  // namespace limbic::svm
