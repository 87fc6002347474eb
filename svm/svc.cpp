#include "svm/svc.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "nn/core/random.h"
#include "svm/one_vs_one.h"

namespace limbic {
namespace {

bool positive_and_finite(double value) { return value > 0 && std::isfinite(value); }

void check_options(const SvcOptions& options) {
  require(positive_and_finite(options.C), "SVM: expected C > 0 and finite, got ", options.C);
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
  for (const auto& entry : options.class_weight)
    require(std::count(labels.begin(), labels.end(), entry.first) > 0,
            "SVM: a weight is given for class ", entry.first, ", which no sample has");
}

// Fold of each row: every class is dealt out over the folds, shuffled.
std::vector<int> stratified_folds(const ClassRows& classes, int64_t rows,
                                  const SvcOptions& options) {
  std::vector<int> fold(static_cast<size_t>(rows));
  Random random(options.seed, hash_name("svm/calibration"));
  int next = 0;
  for (std::vector<int64_t> members : classes.members) {
    random.shuffle(members);
    for (int64_t row : members) fold[static_cast<size_t>(row)] = next++ % options.calibration_folds;
  }
  return fold;
}

// Kernel values K[rows, columns] as a matrix of its own.
Tensor sub_matrix(const Tensor& kernel, std::span<const int64_t> rows,
                  std::span<const int64_t> columns) {
  Tensor out({std::ssize(rows), std::ssize(columns)});
  float* dst = out.data();
  for (int64_t row : rows)
    for (int64_t column : columns) *dst++ = kernel.data()[row * kernel.dim(1) + column];
  return out;
}

// Decision values of every row from a model that did not see it, in `full`'s pair order; rows of
// folds whose training part lacks a class are left out of `used`.
Tensor held_out_decisions(const Tensor& kernel, std::span<const int> labels, const SvcModel& full,
                          const ClassRows& classes, const SvcOptions& options,
                          std::vector<int>& used_labels) {
  const std::vector<int> fold = stratified_folds(classes, kernel.dim(0), options);
  const int64_t n = kernel.dim(0), pairs = std::ssize(full.rho);
  std::vector<double> values;
  for (int f = 0; f < options.calibration_folds; ++f) {
    ClassRows training{classes.labels, {}};
    std::vector<int64_t> held_out;
    for (const auto& members : classes.members) {
      training.members.emplace_back();
      for (int64_t row : members)
        (fold[static_cast<size_t>(row)] == f ? held_out : training.members.back()).push_back(row);
    }
    if (std::any_of(training.members.begin(), training.members.end(),
                    [](const auto& members) { return members.empty(); }))
      continue;
    const SvcModel model = solve_one_vs_one({kernel.data(), n, n, n}, training, options);
    const Tensor decisions =
        decisions_from_kernel(model, sub_matrix(kernel, held_out, model.support_indices));
    values.insert(values.end(), decisions.values<double>().begin(),
                  decisions.values<double>().end());
    for (int64_t row : held_out) used_labels.push_back(labels[static_cast<size_t>(row)]);
  }
  return Tensor::of(values, {std::ssize(used_labels), pairs});
}

Tensor take_rows(const Tensor& x, const std::vector<int64_t>& rows) {
  const int64_t d = x.dim(1);
  Tensor out({std::ssize(rows), d});
  for (int64_t i = 0; i < std::ssize(rows); ++i)
    std::copy_n(x.data() + rows[static_cast<size_t>(i)] * d, d, out.data() + i * d);
  return out;
}

}  // namespace

bool SvcModel::converged() const {
  return std::all_of(pairs.begin(), pairs.end(), [](const PairReport& p) { return p.converged; });
}

double choose_gamma(const Tensor& x, GammaRule rule, double gamma) {
  if (rule == GammaRule::value) {
    require(positive_and_finite(gamma), "SVM: expected gamma > 0 and finite, got ", gamma);
    return gamma;
  }
  const int64_t n = x.dim(0), d = x.dim(1);
  if (rule == GammaRule::automatic) return 1.0 / static_cast<double>(d);
  std::vector<double> mean(static_cast<size_t>(d), 0.0);
  for (int64_t i = 0; i < x.size(); ++i) mean[static_cast<size_t>(i % d)] += x.data()[i];
  for (double& m : mean) m /= static_cast<double>(n);
  double variance = 0;  // summed over the features
  for (int64_t i = 0; i < x.size(); ++i) {
    const double difference = x.data()[i] - mean[static_cast<size_t>(i % d)];
    variance += difference * difference;
  }
  variance /= static_cast<double>(n);
  return variance > 0 ? 1 / variance : 1;
}

SvcModel train_svc(const Tensor& x, std::span<const int> labels, const SvcOptions& options) {
  check_options(options);
  check_data(x, labels, options);
  std::vector<int64_t> rows(labels.size());
  std::iota(rows.begin(), rows.end(), int64_t{0});
  const ClassRows classes = group_by_class(labels, rows);
  require(classes.size() >= 2, "SVM: all ", labels.size(), " samples have the label ",
          labels.front(), ", expected two classes or more");
  const double gamma =
      options.kernel == KernelType::rbf ? choose_gamma(x, options.gamma_rule, options.gamma) : 1.0;
  const Tensor kernel = kernel_matrix(x, {options.kernel, gamma, options.budget_bytes});
  const int64_t n = x.dim(0);
  SvcModel model = solve_one_vs_one({kernel.data(), n, n, n}, classes, options);
  model.kernel = options.kernel;
  model.gamma = gamma;
  model.support_vectors = take_rows(x, model.support_indices);
  if (options.calibration_folds > 0) {
    std::vector<int> used_labels;
    const Tensor decisions =
        held_out_decisions(kernel, labels, model, classes, options, used_labels);
    if (!used_labels.empty()) model.temperature = fit_temperature(model, decisions, used_labels);
  }
  return model;
}

Tensor decision_values(const SvcModel& model, const Tensor& x) {
  check_features(x);
  require(x.dim(1) == model.features(), "SVM features: expected ", model.features(),
          " columns, got ", x.dim(1));
  constexpr int64_t block = 1024;  // bounds the kernel values in memory
  const int64_t m = x.dim(0), pairs = std::ssize(model.rho);
  Tensor out({m, pairs}, DType::f64);
  for (int64_t begin = 0; begin < m; begin += block) {
    const int64_t end = std::min(m, begin + block);
    const Tensor kernel =
        kernel_matrix(x.rows(begin, end), model.support_vectors, {model.kernel, model.gamma});
    const Tensor part = decisions_from_kernel(model, kernel);
    std::copy_n(part.data<double>(), part.size(), out.data<double>() + begin * pairs);
  }
  return out;
}

std::vector<int> predict(const SvcModel& model, const Tensor& x) {
  return vote(model, decision_values(model, x));
}

}  // namespace limbic
