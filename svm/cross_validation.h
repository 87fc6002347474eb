#pragma once
#include <functional>
#include <span>
#include <vector>

#include "nn/core/random.h"
#include "svm/svr.h"
#include "svm/training_kernel.h"

namespace limbic {

/// Fold, from 0, of each sample: every class is dealt out over the folds, shuffled.
std::vector<int> stratified_folds(const ClassRows& classes, int64_t samples, int folds,
                                  Random random);

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

/// use(held out) for each fold whose training part has two classes at least. `alphas` as in
/// solve_one_vs_one, for each fold.
void for_each_fold(const TrainingKernel& kernel, const ClassRows& classes,
                   const SvcOptions& options, std::span<const int> fold,
                   const std::function<void(const HeldOut&)>& use, FoldAlphas* alphas = nullptr);

/// Share of rows that models trained without their fold label rightly. All folds share one kernel,
/// whose gamma is chosen over all rows. Throws Error as train_svc does, and unless there are from 2
/// folds to as many as rows.
double cross_validate(const Tensor& x, std::span<const int> labels, const SvcOptions& options,
                      int folds);

/// The same for regression, folds shuffled: the predicted value of each row.
std::vector<double> cross_validate(const Tensor& x, std::span<const double> targets,
                                   const SvrOptions& options, int folds, uint64_t seed);

/// A search over C and gamma of an RBF kernel.
struct GridOptions {
  std::vector<double> C, gamma;
  int folds = 5;
  SvcOptions svc;  ///< Of all cells; C and gamma apart.
  /// Whether a cell is known already, and need not be computed.
  std::function<bool(double C, double gamma)> known = [](double, double) { return false; };
};

/// done(C, gamma, accuracy) for each cell that is not known, gamma by gamma. Distances are computed
/// once where they fit the budget beside a kernel; the solvers start from what they found for the C
/// before.
void search_grid(const Tensor& x, std::span<const int> labels, const GridOptions& options,
                 const std::function<void(double C, double gamma, double accuracy)>& done);

}  // namespace limbic
