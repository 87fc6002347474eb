#pragma once
#include <optional>
#include <span>
#include <vector>

#include "limbic/svm/svc.h"

namespace limbic::svm {

struct SvrOptions {
  double C = 1;          ///< May be infinite.
  double epsilon = 0.1;  ///< Errors up to this cost nothing; >= 0, in the targets' unit.
  KernelType kernel = KernelType::rbf;
  GammaRule gamma_rule = GammaRule::scale;
  double gamma = 0;  ///< Of GammaRule::value.
  double coef0 = 0;  ///< Of the polynomial kernel, as is the degree.
  int degree = 3;
  double eps = 1e-3;  ///< Of the solver, see SmoOptions.
  bool shrinking = true;
  int64_t max_iterations = 0;
  int64_t budget_bytes = int64_t{4} << 30;  ///< Of kernel values, as in SvcOptions.
  bool fit_error = false;  ///< Estimates error_scale by cross-validation, `svm-train -b 1`.
  uint64_t seed = 0;       ///< Of its folds.
};

/// f(x) = sum_i coef_i K(sv_i, x) - rho.
struct SvrModel {
  KernelOptions kernel;
  Tensor support_vectors;    ///< F32 (total,d)
  std::vector<double> coef;  ///< alpha - alpha*
  double rho = 0;
  /// Scale sigma of the errors' Laplace distribution e^(-|z|/sigma)/(2 sigma), if estimated.
  std::optional<double> error_scale;
  std::vector<int64_t> support_indices;  ///< Training row of each; empty after reading a file.
  double objective = 0;                  ///< Of the dual.
  int64_t n_bounded = 0, iterations = 0;
  bool converged = true;
  int first_index = 1;  ///< As in SvcModel.

  int64_t features() const { return support_vectors.dim(1); }
};

/// The kernel that the options ask for, gamma chosen. Throws Error for what is out of range.
KernelOptions choose_kernel(const Tensor& x, const SvrOptions& options);

/// Throws Error for features, targets or options that train_svr refuses.
void check_training(const Tensor& x, std::span<const double> targets, const SvrOptions& options);

/// Epsilon support vector regression on x F32 (n,d) and a target for each row: the solver of
/// classification with two variables a row, alpha_i and alpha*_i, y = +1 and -1,
/// p = epsilon - target_i and epsilon + target_i. Throws Error as train_svc does, and for targets
/// that are not finite.
/// Source: Chang, Lin, "LIBSVM", 2011, sec. 2.4 and 4.
SvrModel train_svr(const Tensor& x, std::span<const double> targets,
                   const SvrOptions& options = {});

/// x F32 (m,d) -> m values.
std::vector<double> predict(const SvrModel& model, const Tensor& x);

struct RegressionScore {
  double mean_squared_error, squared_correlation;
};
/// How far `predicted` is from `targets`; the correlation is NaN where either never varies. Throws
/// Error where there are none, or not as many of one as of the other.
RegressionScore score_regression(std::span<const double> targets,
                                 std::span<const double> predicted);

}  // namespace limbic::svm
