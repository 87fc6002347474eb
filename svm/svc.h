#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "limbic/svm/kernel.h"

namespace limbic::svm {

/// How gamma is chosen for d features: `scale` is 1 / (sum of the features' variances), which is
/// 1 / (sum over blocks of weight^2 times that block's variance) for weighted blocks; `automatic`
/// is 1/d; `value` is what the options say. Where all variances are 0, `scale` is 1.
enum class GammaRule { scale, automatic, value };

struct SvcOptions {
  double C = 1;  ///< May be infinite: no training error, where the classes can be separated.
  KernelType kernel = KernelType::rbf;
  GammaRule gamma_rule = GammaRule::scale;
  double gamma = 0;  ///< Of GammaRule::value.
  double coef0 = 0;  ///< Of the polynomial kernel, as is the degree.
  int degree = 3;
  double eps = 1e-3;
  bool shrinking = true;
  int64_t max_iterations = 0;          ///< A pair; 0: the larger of 10^7 and 100 samples.
  std::map<int, double> class_weight;  ///< Label -> factor of C; labels not named have 1.
  /// Data of one class are no error, but make a model without support vectors that always says it.
  bool one_class_too = false;
  /// Of kernel values: the whole matrix where it fits, else a cache of its rows.
  int64_t budget_bytes = int64_t{4} << 30;
  int calibration_folds = 0;  ///< Folds that fit the temperature of probabilities; 0: leave it 1.
  bool pairwise_probability = false;  ///< Fits LIBSVM's probabilities, `svm-train -b 1`.
  uint64_t seed = 0;                  ///< Of the folds.
};

/// How the training of one pair of classes went.
struct PairReport {
  int positive = 0, negative = 0;  ///< Labels.
  double objective = 0;            ///< Of the dual, a negative number.
  double nu = 0;  ///< The nu-SVM's that is the same: sum of alpha / C n; of equal C alone.
  int64_t n_sv = 0, n_bounded = 0;
  int64_t iterations = 0;
  bool converged = true;
};

/// A trained one-vs-one classifier of k classes, in LIBSVM's layout. Pair p counts (0,1), (0,2),
/// ..., (0,k-1), (1,2), ...; a positive decision votes for the first class of the pair.
struct SvcModel {
  KernelType kernel = KernelType::rbf;
  double gamma = 1, coef0 = 0;  ///< Where the kernel has them.
  int degree = 3;
  /// Labels in the order in which they first came, but -1 after +1 where these two are all.
  std::vector<int> classes;
  std::vector<int64_t> n_sv;  ///< Support vectors of each class.
  Tensor support_vectors;     ///< F32 (total,d), grouped by class.
  /// F64 (k-1,total): y alpha. For a support vector of class i, row j-1 is its coefficient against
  /// class j > i, and row j against class j < i.
  Tensor dual_coef;
  std::vector<double> rho;               ///< k(k-1)/2.
  std::vector<double> prob_a, prob_b;    ///< k(k-1)/2 sigmoids of pairwise_probabilities, or none.
  double temperature = 1;                ///< Of probabilities; larger is less certain.
  std::vector<int64_t> support_indices;  ///< Training row of each; empty after reading a file.
  std::vector<PairReport> pairs;         ///< Empty after reading a file.
  int first_index = 1;  ///< In LIBSVM's text, of the first feature: 0 where such a file begins so.

  int64_t features() const { return support_vectors.dim(1); }
  KernelOptions kernel_options() const;
  bool converged() const;
};

/// Gamma after the rule; x F32 (n,d). Throws Error where a given gamma is not positive and finite.
double choose_gamma(const Tensor& x, GammaRule rule, double gamma);

/// The kernel that the options ask for, gamma chosen. Throws Error for what is out of range.
KernelOptions choose_kernel(const Tensor& x, const SvcOptions& options);

/// Trains on x F32 (n,d) and a label for each row. Pairs of classes share one kernel matrix and are
/// solved in parallel. Throws Error for NaN or infinite features (naming row and column, from 0),
/// fewer than two classes, unknown labels in class_weight, C that is not positive, and gamma or eps
/// that are not positive and finite.
SvcModel train_svc(const Tensor& x, std::span<const int> labels, const SvcOptions& options = {});

/// x F32 (m,d) -> F64 (m, k(k-1)/2): sum of y alpha K(sv, x) - rho, a column a pair. Throws Error
/// for other numbers of features, NaN or infinite ones.
Tensor decision_values(const SvcModel& model, const Tensor& x);

/// Label of each row of `decisions`: the class with most votes, the first of `classes` in a tie.
/// As the functions below, throws Error for other shapes and for decisions that are not finite.
std::vector<int> vote(const SvcModel& model, const Tensor& decisions);
/// The same for features x F32 (m,d).
std::vector<int> predict(const SvcModel& model, const Tensor& x);

/// F64 (m,k), columns as `classes`, rows adding up to 1: a softmax over soft votes,
/// s_c = sum over the pairs of c of tanh(+-decision), divided by the temperature. Where another
/// class scores as much as the winner of the hard votes its score is lowered below, so that the
/// largest probability always belongs to the label that `predict` gives.
Tensor probabilities(const SvcModel& model, const Tensor& x);
/// The same for decision values F64 (m, k(k-1)/2).
Tensor probabilities_from_decisions(const SvcModel& model, const Tensor& decisions);

/// F64 (m,k), columns as `classes`: LIBSVM's probabilities, a sigmoid for each pair of classes,
/// coupled. Their largest may belong to another label than `predict` gives. Throws Error where the
/// model was trained without pairwise_probability.
Tensor pairwise_probabilities(const SvcModel& model, const Tensor& x);
/// The same for decision values F64 (m, k(k-1)/2).
Tensor pairwise_probabilities_from_decisions(const SvcModel& model, const Tensor& decisions);
/// Label of the largest of each row of probabilities F64 (m,k), the first in a tie.
std::vector<int> most_probable(const SvcModel& model, const Tensor& probabilities);

/// The temperature under which the soft votes of `decisions` F64 (m,pairs) give `labels` the
/// greatest likelihood, between 0.02 and 50. Throws Error where no label is one of the model's.
double fit_temperature(const SvcModel& model, const Tensor& decisions, std::span<const int> labels);

}  // namespace limbic::svm
