#include "limbic/svm/svr.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "limbic/svm/cross_validation.h"
#include "limbic/svm/smo.h"
#include "limbic/svm/training_kernel.h"

namespace limbic::svm {

void check_training(const Tensor& x, std::span<const double> targets, const SvrOptions& o) {
  const auto positive = [](double value) { return value > 0 && std::isfinite(value); };
  require(o.C > 0, "SVR: expected C > 0, got ", o.C);
  require(positive(o.eps), "SVR: expected eps > 0 and finite, got ", o.eps);
  require(o.epsilon >= 0 && std::isfinite(o.epsilon), "SVR: expected epsilon >= 0 and finite, got ",
          o.epsilon);
  check_features(x);
  require(x.dim(0) == std::ssize(targets), "SVR: ", x.dim(0), " rows but ", targets.size(),
          " targets");
  require(x.dim(0) > 0 && x.dim(1) > 0, "SVR: no data: features are ", to_string(x.shape()));
  for (size_t i = 0; i < targets.size(); ++i)
    require(std::isfinite(targets[i]), "SVR: the target of row ", i, " (from 0) is ", targets[i],
            ", expected a finite number");
}

namespace {

SmoResult solve(KernelRows& kernel, std::span<const double> targets, const SvrOptions& o) {
  const size_t n = targets.size();
  std::vector<int64_t> rows(2 * n);
  std::vector<int8_t> y(2 * n, 1);
  std::vector<double> p(2 * n);
  for (size_t i = 0; i < n; ++i) {
    rows[i] = rows[n + i] = static_cast<int64_t>(i);
    y[n + i] = -1;
    p[i] = o.epsilon - targets[i];
    p[n + i] = o.epsilon + targets[i];
  }
  return solve_smo(
      {.kernel = kernel, .rows = rows, .y = y, .C_positive = o.C, .C_negative = o.C, .p = p},
      {.eps = o.eps, .shrinking = o.shrinking, .max_iterations = o.max_iterations});
}

// The mean absolute error of held-out rows, those beyond five standard deviations left out.
// Source: Lin, Weng, "Simple probabilistic predictions for support vector regression", 2004.
double estimate_error_scale(const Tensor& x, std::span<const double> targets,
                            const SvrOptions& options) {
  const auto folds = static_cast<int>(std::min<size_t>(5, targets.size()));
  if (folds < 2) return 0;
  std::vector<double> errors = cross_validate(x, targets, options, folds, options.seed);
  double mean = 0;
  for (size_t i = 0; i < errors.size(); ++i) {
    errors[i] = std::abs(targets[i] - errors[i]);
    mean += errors[i] / static_cast<double>(errors.size());
  }
  const double limit = 5 * std::sqrt(2.0) * mean;
  double sum = 0, count = 0;
  for (double error : errors)
    if (error <= limit) sum += error, ++count;
  return sum / count;
}

}  // namespace

KernelOptions choose_kernel(const Tensor& x, const SvrOptions& o) {
  return choose_kernel(x, SvcOptions{.kernel = o.kernel,
                                     .gamma_rule = o.gamma_rule,
                                     .gamma = o.gamma,
                                     .coef0 = o.coef0,
                                     .degree = o.degree,
                                     .budget_bytes = o.budget_bytes});
}

SvrModel train_svr(const Tensor& x, std::span<const double> targets, const SvrOptions& options) {
  check_training(x, targets, options);
  SvrModel model;
  model.kernel = choose_kernel(x, options);
  if (options.kernel == KernelType::precomputed) model.first_index = 0;
  const TrainingKernel kernel(x, model.kernel);
  std::vector<int64_t> all(targets.size());
  std::iota(all.begin(), all.end(), int64_t{0});
  const SmoResult result = solve(*kernel.rows_of(all).kernel, targets, options);
  model.rho = result.rho;
  model.objective = result.objective;
  model.iterations = result.iterations;
  model.converged = result.converged;
  for (size_t i = 0; i < targets.size(); ++i) {
    const double coef = result.alpha[i] - result.alpha[targets.size() + i];
    if (coef == 0) continue;
    model.support_indices.push_back(static_cast<int64_t>(i));
    model.coef.push_back(coef);
    model.n_bounded += std::abs(coef) >= options.C;
  }
  model.support_vectors = support_rows(x, model.support_indices, options.kernel);
  if (options.fit_error) model.error_scale = estimate_error_scale(x, targets, options);
  return model;
}

std::vector<double> predict(const SvrModel& model, const Tensor& x) {
  check_features(x);
  require(model.kernel.type == KernelType::precomputed || x.dim(1) == model.features(),
          "SVM features: expected ", model.features(), " columns, got ", x.dim(1));
  constexpr int64_t block = 1024;  // bounds the kernel values in memory
  const ModelKernel support(model.support_vectors, model.kernel);
  std::vector<double> out;
  for (int64_t begin = 0; begin < x.dim(0); begin += block) {
    const int64_t end = std::min(x.dim(0), begin + block), n = std::ssize(model.coef);
    const Tensor kernel = support.values(x.rows(begin, end));
    for (int64_t i = 0; i < end - begin; ++i) {
      double sum = -model.rho;
      for (int64_t j = 0; j < n; ++j)
        sum += model.coef[static_cast<size_t>(j)] * double{kernel.data()[i * n + j]};
      out.push_back(sum);
    }
  }
  return out;
}

RegressionScore score_regression(std::span<const double> targets,
                                 std::span<const double> predicted) {
  require(targets.size() == predicted.size() && !targets.empty(), "SVR: ", targets.size(),
          " targets but ", predicted.size(), " predicted values");
  const auto n = static_cast<double>(targets.size());
  double error = 0, mean_t = 0, mean_p = 0;
  for (size_t i = 0; i < targets.size(); ++i) {
    error += (predicted[i] - targets[i]) * (predicted[i] - targets[i]) / n;
    mean_t += targets[i] / n;
    mean_p += predicted[i] / n;
  }
  double both = 0, of_t = 0, of_p = 0;
  for (size_t i = 0; i < targets.size(); ++i) {
    both += (targets[i] - mean_t) * (predicted[i] - mean_p);
    of_t += (targets[i] - mean_t) * (targets[i] - mean_t);
    of_p += (predicted[i] - mean_p) * (predicted[i] - mean_p);
  }
  return {error, both * both / (of_t * of_p)};
}

}  // namespace limbic::svm
