// From decision values to labels and probabilities.
#include <algorithm>
#include <cmath>

#include "limbic/svm/one_vs_one.h"

namespace limbic::svm {
namespace {

// How far, in soft votes, every other class stays below the label.
constexpr double lead = 1e-3;

int64_t winner(int64_t k, const double* decision) {
  std::vector<int> votes(static_cast<size_t>(k), 0);
  for_each_pair(k, [&](int64_t pair, int64_t i, int64_t j) {
    ++votes[static_cast<size_t>(decision[pair] > 0 ? i : j)];
  });
  return std::max_element(votes.begin(), votes.end()) - votes.begin();
}

// Soft votes of one sample, relative to the label's and so at most 0.
std::vector<double> soft_votes(int64_t k, const double* decision) {
  std::vector<double> score(static_cast<size_t>(k), 0.0);
  for_each_pair(k, [&](int64_t pair, int64_t i, int64_t j) {
    const double margin = std::tanh(decision[pair]);
    score[static_cast<size_t>(i)] += margin;
    score[static_cast<size_t>(j)] -= margin;
  });
  const auto label = static_cast<size_t>(winner(k, decision));
  const double best = score[label];
  for (double& s : score) s = std::min(s - best, -lead);
  score[label] = 0;
  return score;
}

// Derivative of the summed negative log likelihood by the inverse temperature b: that of
// log sum_c exp(b s_c) - b s_true, whose sum is convex in b.
double slope(const std::vector<std::vector<double>>& scores, const std::vector<size_t>& truth,
             double b) {
  double total = 0;
  for (size_t i = 0; i < scores.size(); ++i) {
    double sum = 0, weighted = 0;
    for (double s : scores[i]) {
      const double e = std::exp(b * s);
      sum += e;
      weighted += e * s;
    }
    total += weighted / sum - scores[i][truth[i]];
  }
  return total;
}

}  // namespace

void check_decisions(const SvcModel& model, const Tensor& decisions) {
  const auto k = std::ssize(model.classes);
  require(k >= 1 && decisions.rank() == 2 && decisions.dtype() == DType::f64 &&
              decisions.dim(1) == k * (k - 1) / 2,
          "SVM: decisions of ", k, " classes: expected F64 (rows,", k * (k - 1) / 2, "), got ",
          to_string(decisions.dtype()), " ", to_string(decisions.shape()));
  for (double value : decisions.values<double>())
    require(std::isfinite(value), "SVM: expected finite decisions, got ", value);
}

std::vector<int> vote(const SvcModel& model, const Tensor& decisions) {
  check_decisions(model, decisions);
  const int64_t m = decisions.dim(0), pairs = decisions.dim(1);
  std::vector<int> out;
  for (int64_t i = 0; i < m; ++i)
    out.push_back(model.classes[static_cast<size_t>(
        winner(std::ssize(model.classes), decisions.data<double>() + i * pairs))]);
  return out;
}

Tensor probabilities(const SvcModel& model, const Tensor& x) {
  return probabilities_from_decisions(model, decision_values(model, x));
}

Tensor probabilities_from_decisions(const SvcModel& model, const Tensor& decisions) {
  check_decisions(model, decisions);
  require(model.temperature > 0 && std::isfinite(model.temperature),
          "SVM: expected a temperature > 0 and finite, got ", model.temperature);
  const int64_t m = decisions.dim(0), pairs = decisions.dim(1), k = std::ssize(model.classes);
  Tensor out({m, k}, DType::f64);
  for (int64_t i = 0; i < m; ++i) {
    std::vector<double> p = soft_votes(k, decisions.data<double>() + i * pairs);
    double sum = 0;
    for (double& s : p) sum += s = std::exp(s / model.temperature);
    for (int64_t c = 0; c < k; ++c) out.data<double>()[i * k + c] = p[static_cast<size_t>(c)] / sum;
  }
  return out;
}

double fit_temperature(const SvcModel& model, const Tensor& decisions,
                       std::span<const int> labels) {
  check_decisions(model, decisions);
  const int64_t m = decisions.dim(0), pairs = decisions.dim(1);
  require(m == std::ssize(labels), "SVM: ", m, " rows of decision values but ", labels.size(),
          " labels");
  std::vector<std::vector<double>> scores;
  std::vector<size_t> truth;
  for (int64_t i = 0; i < m; ++i) {
    const auto found =
        std::find(model.classes.begin(), model.classes.end(), labels[static_cast<size_t>(i)]);
    if (found == model.classes.end()) continue;  // a label that the model cannot give
    scores.push_back(soft_votes(std::ssize(model.classes), decisions.data<double>() + i * pairs));
    truth.push_back(static_cast<size_t>(found - model.classes.begin()));
  }
  require(!truth.empty(), "SVM: no row has a label that the model knows, to fit a temperature to");
  double low = 0.02, high = 50;
  for (int step = 0; step < 60; ++step) {
    const double middle = std::sqrt(low * high);
    (slope(scores, truth, middle) < 0 ? low : high) = middle;
  }
  return 1 / std::sqrt(low * high);
}

}  // namespace limbic::svm
