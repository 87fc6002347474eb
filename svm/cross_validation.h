#pragma once
#include <functional>
#include <limits>
#include <span>
#include <vector>

#include "limbic/core/random.h"
#include "limbic/svm/svr.h"
#include "limbic/svm/training_kernel.h"

namespace limbic::svm {

/// Throws Error unless there is a fold for each sample, each from -1 (never held out) to samples
/// - 1.
void check_fold_numbers(std::span<const int> fold, int64_t samples);

/// Fold, from 0, of each sample: every class is dealt out over the folds, shuffled. Throws Error
/// for less than one fold.
std::vector<int> stratified_folds(const ClassRows& classes, int64_t samples, int folds,
                                  Random random);

/// The same over rows of these labels. Throws Error unless there are from 2 folds to as many as
/// rows.
std::vector<int> deal_folds(std::span<const int> labels, int folds, uint64_t seed);

/// Each pair's alpha of each fold, to start the next training from.
using FoldAlphas = std::vector<std::vector<std::vector<double>>>;

/// What a model that did not see them says about some samples. It lacks classes that were in no
/// other fold.
struct HeldOut {
  std::vector<int64_t> samples;
  std::vector<int> truth;
  SvcModel model;
  Tensor decisions;  ///< F64 (samples, pairs of the model)
};

/// use(held out) for each fold 0, 1, ... for which others can train; samples of fold -1 always
/// train. A training part of one class makes a model that always says it. Sigmoids are fitted where
/// the options say pairwise_probability. `alphas` as in solve_one_vs_one, for each fold.
void for_each_fold(const TrainingKernel& kernel, const ClassRows& classes,
                   const SvcOptions& options, std::span<const int> fold,
                   const std::function<void(const HeldOut&)>& use, FoldAlphas* alphas = nullptr);

/// Label of each row by a model that was trained without its fold (no_label where no others train).
std::vector<int> cross_predict(const Tensor& x, std::span<const int> labels,
                               const SvcOptions& options, int folds, bool* converged = nullptr);
constexpr int no_label = std::numeric_limits<int>::min();

/// Share of rows that models trained without their fold label rightly. All folds share one kernel,
/// whose gamma is chosen over all rows; with pairwise_probability a label is the most probable one.
/// `converged`, where it is given, becomes false if a training met its limit of iterations. Throws
/// Error as train_svc and deal_folds do.
double cross_validate(const Tensor& x, std::span<const int> labels, const SvcOptions& options,
                      int folds, bool* converged = nullptr);

/// The same for regression, folds shuffled: the predicted value of each row. Gamma is chosen once,
/// over all rows. Throws Error as train_svr and deal_folds do.
std::vector<double> cross_validate(const Tensor& x, std::span<const double> targets,
                                   const SvrOptions& options, int folds, uint64_t seed,
                                   bool* converged = nullptr);

}  // namespace limbic::svm
