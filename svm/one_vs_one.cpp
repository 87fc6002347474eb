#include "limbic/svm/one_vs_one.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "limbic/core/parallel.h"
#include "limbic/core/simd.h"
#include "limbic/svm/training_kernel.h"

namespace limbic::svm {
namespace {

// Sums in eight lanes: a fixed order, whatever the vector length.
LIMBIC_MULTIVERSION double weighted_sum(const double* weights, const float* values, int64_t n) {
  double lane[8] = {};
  int64_t j = 0;
  for (; j + 8 <= n; j += 8)
    for (int64_t l = 0; l < 8; ++l) lane[l] += weights[j + l] * double{values[j + l]};
  for (; j < n; ++j) lane[0] += weights[j] * double{values[j]};
  double sum = 0;
  for (double value : lane) sum += value;
  return sum;
}

struct Pair {
  int64_t first, second;  // classes
  SmoResult result;
};

PairReport report(const Pair& pair, const ClassRows& classes, const SvcOptions& options) {
  PairReport out;
  out.positive = classes.labels[static_cast<size_t>(pair.first)];
  out.negative = classes.labels[static_cast<size_t>(pair.second)];
  out.objective = pair.result.objective;
  out.iterations = pair.result.iterations;
  out.converged = pair.result.converged;
  const size_t positives = classes.members[static_cast<size_t>(pair.first)].size();
  for (size_t t = 0; t < pair.result.alpha.size(); ++t) {
    const double alpha = pair.result.alpha[t];
    out.n_sv += alpha > 0;
    out.n_bounded += alpha >= class_C(options, t < positives ? out.positive : out.negative);
    out.nu += alpha / (options.C * static_cast<double>(pair.result.alpha.size()));
  }
  return out;
}

// Place of each sample among the support vectors, -1 for those that support no pair.
using Places = std::vector<std::vector<int64_t>>;

Places place_support_vectors(const std::vector<Pair>& pairs, const ClassRows& classes,
                             SvcModel& model) {
  Places places;
  for (const auto& members : classes.members) places.emplace_back(members.size(), -1);
  for (const Pair& pair : pairs) {
    auto &a = places[static_cast<size_t>(pair.first)],
         &b = places[static_cast<size_t>(pair.second)];
    for (size_t t = 0; t < pair.result.alpha.size(); ++t)
      if (pair.result.alpha[t] > 0) (t < a.size() ? a[t] : b[t - a.size()]) = 0;
  }
  int64_t next = 0;
  for (size_t c = 0; c < places.size(); ++c) {
    const int64_t before = next;
    for (size_t t = 0; t < places[c].size(); ++t) {
      if (places[c][t] < 0) continue;
      places[c][t] = next++;
      model.support_indices.push_back(classes.members[c][t]);
    }
    model.n_sv.push_back(next - before);
  }
  return places;
}

void place_coefficients(const std::vector<Pair>& pairs, const Places& places, SvcModel& model) {
  const auto total = static_cast<int64_t>(model.support_indices.size());
  model.dual_coef = Tensor({static_cast<int64_t>(model.classes.size()) - 1, total}, DType::f64);
  double* coef = model.dual_coef.data<double>();
  for (const Pair& pair : pairs) {
    const auto &a = places[static_cast<size_t>(pair.first)],
               &b = places[static_cast<size_t>(pair.second)];
    for (size_t t = 0; t < pair.result.alpha.size(); ++t) {
      const double alpha = pair.result.alpha[t];
      if (alpha == 0) continue;
      if (t < a.size())
        coef[(pair.second - 1) * total + a[t]] = alpha;
      else
        coef[pair.first * total + b[t - a.size()]] = -alpha;
    }
  }
}

SvcModel model_of(const std::vector<Pair>& pairs, const ClassRows& classes,
                  const SvcOptions& options) {
  SvcModel model;
  model.classes = classes.labels;
  for (const Pair& pair : pairs) {
    model.rho.push_back(pair.result.rho);
    model.pairs.push_back(report(pair, classes, options));
  }
  const Places places = place_support_vectors(pairs, classes, model);
  place_coefficients(pairs, places, model);
  return model;
}

}  // namespace

ClassRows group_by_class(std::span<const int> labels, std::span<const int64_t> rows) {
  ClassRows out;
  std::map<int, size_t> place;
  check_rows(rows, std::ssize(labels));
  for (int64_t row : rows) {
    const int label = labels[static_cast<size_t>(row)];
    const auto [found, fresh] = place.emplace(label, out.labels.size());
    if (fresh) {
      out.labels.push_back(label);
      out.members.emplace_back();
    }
    out.members[found->second].push_back(row);
  }
  if (out.labels == std::vector<int>{-1, 1}) {
    std::swap(out.labels[0], out.labels[1]);
    std::swap(out.members[0], out.members[1]);
  }
  return out;
}

SortedSamples sort_by_class(std::span<const int> labels) {
  require(!labels.empty(), "SVM: no samples");
  std::vector<int64_t> rows(labels.size());
  std::iota(rows.begin(), rows.end(), int64_t{0});
  const ClassRows given = group_by_class(labels, rows);
  SortedSamples out{{given.labels, {}}, {}};
  for (const auto& members : given.members) {
    out.classes.members.emplace_back(members.size());
    std::iota(out.classes.members.back().begin(), out.classes.members.back().end(),
              std::ssize(out.order));
    out.order.insert(out.order.end(), members.begin(), members.end());
  }
  return out;
}

SmoResult solve_pair(const TrainingKernel& kernel, const PairProblem& pair,
                     const SmoOptions& options) {
  std::vector<int64_t> samples(pair.first.begin(), pair.first.end());
  samples.insert(samples.end(), pair.second.begin(), pair.second.end());
  std::vector<int8_t> y(samples.size(), -1);
  std::fill_n(y.begin(), pair.first.size(), int8_t{1});
  const TrainingKernel::Rows rows = kernel.rows_of(std::move(samples), pair.share);
  return solve_smo({.kernel = *rows.kernel,
                    .rows = rows.rows,
                    .y = y,
                    .C_positive = pair.C_first,
                    .C_negative = pair.C_second,
                    .start = pair.start},
                   options);
}

double class_C(const SvcOptions& options, int label) {
  const auto found = options.class_weight.find(label);
  return options.C * (found == options.class_weight.end() ? 1.0 : found->second);
}

SvcModel solve_one_vs_one(const TrainingKernel& kernel, const ClassRows& classes,
                          const SvcOptions& options, std::vector<std::vector<double>>* alphas) {
  std::vector<Pair> pairs;
  for_each_pair(classes.size(), [&](int64_t, int64_t i, int64_t j) {
    pairs.push_back({i, j, {}});
  });
  const auto at_once = static_cast<double>(std::min<int64_t>(threads(), std::ssize(pairs)));
  parallel_for_dynamic(std::ssize(pairs), [&](int64_t p) {
    Pair& pair = pairs[static_cast<size_t>(p)];
    const auto first = static_cast<size_t>(pair.first), second = static_cast<size_t>(pair.second);
    PairProblem problem{.first = classes.members[first],
                        .second = classes.members[second],
                        .C_first = class_C(options, classes.labels[first]),
                        .C_second = class_C(options, classes.labels[second]),
                        .share = 1 / at_once};
    if (alphas && p < std::ssize(*alphas)) problem.start = (*alphas)[static_cast<size_t>(p)];
    pair.result = solve_pair(kernel, problem, smo_options(options));
  });
  SvcModel model = model_of(pairs, classes, options);
  if (alphas) {
    alphas->clear();
    for (Pair& pair : pairs) alphas->push_back(std::move(pair.result.alpha));
  }
  return model;
}

SmoOptions smo_options(const SvcOptions& options) {
  return {
      .eps = options.eps, .shrinking = options.shrinking, .max_iterations = options.max_iterations};
}

Tensor decisions_from_kernel(const SvcModel& model, const Tensor& kernel) {
  const auto k = std::ssize(model.classes);
  require(kernel.rank() == 2 && kernel.dtype() == DType::f32 &&
              model.dual_coef.shape() == Shape{k - 1, kernel.dim(1)} &&
              std::ssize(model.rho) == k * (k - 1) / 2 && std::ssize(model.n_sv) == k &&
              std::accumulate(model.n_sv.begin(), model.n_sv.end(), int64_t{0}) == kernel.dim(1),
          "SVM: a model of ", k, " classes does not fit kernel values ", to_string(kernel.shape()));
  const int64_t m = kernel.dim(0), total = kernel.dim(1), pairs = std::ssize(model.rho);
  std::vector<int64_t> start{0};  // of each class among the support vectors
  for (int64_t n : model.n_sv) start.push_back(start.back() + n);
  Tensor out({m, pairs}, DType::f64);
  const double* coef = model.dual_coef.data<double>();
  parallel_for(m, [&](int64_t row) {
    const float* values = kernel.data() + row * total;
    const auto sum = [&](int64_t of_class, int64_t coef_row) {
      const int64_t begin = start[static_cast<size_t>(of_class)],
                    end = start[static_cast<size_t>(of_class) + 1];
      return weighted_sum(coef + coef_row * total + begin, values + begin, end - begin);
    };
    double* decision = out.data<double>() + row * pairs;
    for_each_pair(k, [&](int64_t pair, int64_t i, int64_t j) {
      decision[pair] = sum(i, j - 1) + sum(j, i) - model.rho[static_cast<size_t>(pair)];
    });
  });
  return out;
}

}  // namespace limbic::svm
