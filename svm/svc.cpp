#include "limbic/svm/svc.h"

#include <algorithm>
#include <cmath>

#include "limbic/core/parallel.h"
#include "limbic/core/random.h"
#include "limbic/svm/cross_validation.h"
#include "limbic/svm/platt.h"
#include "limbic/svm/training_kernel.h"

namespace limbic::svm {
namespace {

bool positive_and_finite(double value) { return value > 0 && std::isfinite(value); }

void check_options(const SvcOptions& options) {
  require(options.C > 0, "SVM: expected C > 0, got ", options.C);
  require(positive_and_finite(options.eps), "SVM: expected eps > 0 and finite, got ", options.eps);
  require(options.calibration_folds == 0 || options.calibration_folds >= 2,
          "SVM: expected 0 or at least 2 calibration folds, got ", options.calibration_folds);
  for (const auto& [label, weight] : options.class_weight)
    require(positive_and_finite(weight), "SVM: the weight of class ", label,
            " must be > 0 and finite, got ", weight);
}

void check_data(const Tensor& x, std::span<const int> labels, const SvcOptions& options) {
  check_features(x);
  require(x.dim(0) == std::ssize(labels), "SVM: ", x.dim(0), " rows but ", labels.size(),
          " labels");
  require(x.dim(0) > 0 && x.dim(1) > 0, "SVM: no data: features are ", to_string(x.shape()));
  require(options.one_class_too ||
              std::any_of(labels.begin(), labels.end(), [&](int y) { return y != labels[0]; }),
          "SVM: all ", labels.size(), " samples have the label ", labels[0],
          ", expected two classes or more");
  for (const auto& entry : options.class_weight)
    require(std::count(labels.begin(), labels.end(), entry.first) > 0,
            "SVM: a weight is given for class ", entry.first, ", which no sample has");
}

// The temperature that fits decisions about samples that their models did not see.
double calibrate(const TrainingKernel& kernel, const ClassRows& classes,
                 const SvcOptions& options) {
  std::vector<double> values;
  std::vector<int> truth;
  for_each_fold(kernel, classes, options,
                stratified_folds(classes, kernel.samples(), options.calibration_folds,
                                 Random(options.seed, hash_name("svm/calibration"))),
                [&](const HeldOut& held_out) {
                  if (held_out.model.classes != classes.labels) return;
                  const auto decisions = held_out.decisions.values<double>();
                  values.insert(values.end(), decisions.begin(), decisions.end());
                  truth.insert(truth.end(), held_out.truth.begin(), held_out.truth.end());
                });
  if (truth.empty()) return 1;
  SvcModel model;
  model.classes = classes.labels;
  return fit_temperature(
      model, Tensor::of(values, {std::ssize(truth), std::ssize(values) / std::ssize(truth)}),
      truth);
}

}  // namespace

void check_training(const Tensor& x, std::span<const int> labels, const SvcOptions& options) {
  check_options(options);
  check_data(x, labels, options);
}

bool SvcModel::converged() const {
  return std::all_of(pairs.begin(), pairs.end(), [](const PairReport& p) { return p.converged; });
}

KernelOptions choose_kernel(const Tensor& x, const SvcOptions& options) {
  const bool has_gamma =
      options.kernel == KernelType::rbf || options.kernel == KernelType::polynomial;
  require(std::isfinite(options.coef0), "SVM: expected a finite coef0, got ", options.coef0);
  require(options.degree >= 0 && options.degree <= 100,
          "SVM: expected a degree from 0 to 100, got ", options.degree);
  return {.type = options.kernel,
          .gamma = has_gamma ? choose_gamma(x, options.gamma_rule, options.gamma) : 1.0,
          .coef0 = options.coef0,
          .degree = options.degree,
          .budget_bytes = options.budget_bytes};
}

double choose_gamma(const Tensor& x, GammaRule rule, double gamma) {
  if (rule == GammaRule::value) {
    require(positive_and_finite(gamma), "SVM: expected gamma > 0 and finite, got ", gamma);
    return gamma;
  }
  require(x.rank() == 2 && x.dim(0) > 0 && x.dim(1) > 0, "SVM: no data: features are ",
          to_string(x.shape()));
  if (rule == GammaRule::automatic) return 1.0 / static_cast<double>(x.dim(1));
  const double variance = summed_variance(x);
  return variance > 0 ? 1 / variance : 1;
}

KernelOptions SvcModel::kernel_options() const {
  return {.type = kernel, .gamma = gamma, .coef0 = coef0, .degree = degree};
}

Tensor support_rows(const Tensor& x, std::span<const int64_t> rows, KernelType kernel) {
  return take_rows(x, rows, kernel == KernelType::precomputed ? 1 : x.dim(1));
}

SvcModel train_svc(const Tensor& x, std::span<const int> labels, const SvcOptions& options) {
  check_training(x, labels, options);
  const auto [classes, order] = sort_by_class(labels);
  const KernelOptions kernel_options = choose_kernel(x, options);
  const TrainingKernel kernel(x, kernel_options, order);
  SvcModel model = solve_one_vs_one(kernel, classes, options);
  model.kernel = options.kernel;
  model.gamma = kernel_options.gamma;
  model.coef0 = kernel_options.coef0;
  model.degree = kernel_options.degree;
  if (options.kernel == KernelType::precomputed) model.first_index = 0;
  if (options.pairwise_probability) fit_pairwise_sigmoids(kernel, classes, options, model);
  if (options.calibration_folds > 0) model.temperature = calibrate(kernel, classes, options);
  for (int64_t& sample : model.support_indices) sample = order[static_cast<size_t>(sample)];
  model.support_vectors = support_rows(x, model.support_indices, options.kernel);
  return model;
}

Tensor decision_values(const SvcModel& model, const Tensor& x) {
  check_features(x);
  require(model.kernel == KernelType::precomputed || x.dim(1) == model.features(),
          "SVM features: expected ", model.features(), " columns, got ", x.dim(1));
  constexpr int64_t block = 1024;  // bounds the kernel values in memory
  const ModelKernel support(model.support_vectors, model.kernel_options());
  const int64_t m = x.dim(0), pairs = std::ssize(model.rho);
  Tensor out({m, pairs}, DType::f64);
  for (int64_t begin = 0; begin < m; begin += block) {
    const int64_t end = std::min(m, begin + block);
    const Tensor part = decisions_from_kernel(model, support.values(x.rows(begin, end)));
    std::copy_n(part.data<double>(), part.size(), out.data<double>() + begin * pairs);
  }
  return out;
}

std::vector<int> predict(const SvcModel& model, const Tensor& x) {
  return vote(model, decision_values(model, x));
}

}  // namespace limbic::svm
