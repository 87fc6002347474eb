#include "limbic/svm/platt.h"

#include <algorithm>
#include <cmath>

#include "limbic/core/parallel.h"
#include "limbic/core/random.h"

namespace limbic::svm {
namespace {

// Of the negative log likelihood at (a, b).
struct Curvature {
  double h_aa = 1e-12, h_ab = 0, h_bb = 1e-12, g_a = 0, g_b = 0;
};

struct Likelihood {
  std::span<const double> decisions;
  std::vector<double> target;

  double value(const Sigmoid& s) const {
    double sum = 0;
    for (size_t i = 0; i < target.size(); ++i) {
      const double z = decisions[i] * s.a + s.b;
      // log(1 + e^z) without overflow
      sum += (z >= 0 ? target[i] * z : (target[i] - 1) * z) + std::log1p(std::exp(-std::abs(z)));
    }
    return sum;
  }

  Curvature curvature(const Sigmoid& s) const {
    Curvature c;
    for (size_t i = 0; i < target.size(); ++i) {
      const double z = decisions[i] * s.a + s.b, e = std::exp(-std::abs(z));
      const double p = (z >= 0 ? e : 1) / (1 + e), q = 1 - p;
      c.h_aa += decisions[i] * decisions[i] * p * q;
      c.h_ab += decisions[i] * p * q;
      c.h_bb += p * q;
      c.g_a += decisions[i] * (target[i] - p);
      c.g_b += target[i] - p;
    }
    return c;
  }
};

// Kernel values times coefficients, for samples that no solver of the fold saw.
std::vector<double> decide(const TrainingKernel& kernel, std::span<const int64_t> held_out,
                           std::span<const int64_t> support, std::span<const double> coefficients,
                           double rho) {
  const Tensor values = kernel.values(held_out, support);
  std::vector<double> out;
  for (int64_t i = 0; i < values.dim(0); ++i) {
    double sum = -rho;
    for (int64_t j = 0; j < values.dim(1); ++j)
      sum += coefficients[static_cast<size_t>(j)] * double{values.data()[i * values.dim(1) + j]};
    out.push_back(sum);
  }
  return out;
}

// The model of one fold of a pair, used on what it did not see.
std::vector<double> decide_fold(const TrainingKernel& kernel, const PairProblem& training,
                                std::span<const int64_t> held_out, const SmoOptions& options) {
  if (training.first.empty() || training.second.empty())
    return std::vector<double>(held_out.size(), training.second.empty() ? 1.0 : -1.0);
  const SmoResult result = solve_pair(kernel, training, options);
  std::vector<int64_t> support;
  std::vector<double> coefficients;
  for (size_t t = 0; t < result.alpha.size(); ++t) {
    if (result.alpha[t] == 0) continue;
    const bool positive = t < training.first.size();
    support.push_back(positive ? training.first[t] : training.second[t - training.first.size()]);
    coefficients.push_back(positive ? result.alpha[t] : -result.alpha[t]);
  }
  return decide(kernel, held_out, support, coefficients, result.rho);
}

// How far probabilities of pairs stay from 0 and 1.
constexpr double least = 1e-7;

struct Dealt {
  std::vector<int64_t> kept, held_out;
};

Dealt deal(const std::vector<int64_t>& members, const std::vector<int>& fold, size_t offset,
           int wanted) {
  Dealt out;
  for (size_t i = 0; i < members.size(); ++i)
    (fold[offset + i] == wanted ? out.held_out : out.kept).push_back(members[i]);
  return out;
}

Sigmoid fit_pair(const TrainingKernel& kernel, PairProblem pair, const SmoOptions& options,
                 Random random) {
  constexpr int folds = 5;
  const std::vector<int64_t> first(pair.first.begin(), pair.first.end()),
      second(pair.second.begin(), pair.second.end());
  std::vector<int> fold;
  for (size_t i = 0; i < first.size() + second.size(); ++i)
    fold.push_back(static_cast<int>(i % folds));
  random.shuffle(fold);
  std::vector<double> decisions;
  std::vector<int8_t> y;
  for (int f = 0; f < folds; ++f) {
    const Dealt a = deal(first, fold, 0, f), b = deal(second, fold, first.size(), f);
    pair.first = a.kept;
    pair.second = b.kept;
    for (const Dealt* part : {&a, &b}) {
      const auto values = decide_fold(kernel, pair, part->held_out, options);
      decisions.insert(decisions.end(), values.begin(), values.end());
      y.insert(y.end(), values.size(), part == &a ? int8_t{1} : int8_t{-1});
    }
  }
  return fit_sigmoid(decisions, y);
}

}  // namespace

Sigmoid fit_sigmoid(std::span<const double> decisions, std::span<const int8_t> y) {
  require(decisions.size() == y.size() && !y.empty(), "SVM: ", decisions.size(), " decisions but ",
          y.size(), " labels");
  for (double decision : decisions)
    require(std::isfinite(decision), "SVM: expected finite decisions, got ", decision);
  const auto positives = static_cast<double>(std::count(y.begin(), y.end(), int8_t{1}));
  const double negatives = static_cast<double>(y.size()) - positives;
  const double high = (positives + 1) / (positives + 2), low = 1 / (negatives + 2);
  Likelihood likelihood{decisions, {}};
  for (int8_t sign : y) likelihood.target.push_back(sign > 0 ? high : low);
  Sigmoid s{0, std::log((negatives + 1) / (positives + 1))};
  double value = likelihood.value(s);
  for (int round = 0; round < 100; ++round) {
    const Curvature c = likelihood.curvature(s);
    if (std::abs(c.g_a) < 1e-5 && std::abs(c.g_b) < 1e-5) break;
    const double determinant = c.h_aa * c.h_bb - c.h_ab * c.h_ab;
    const double d_a = -(c.h_bb * c.g_a - c.h_ab * c.g_b) / determinant;
    const double d_b = -(c.h_aa * c.g_b - c.h_ab * c.g_a) / determinant;
    const double slope = c.g_a * d_a + c.g_b * d_b;
    double step = 1;
    for (; step >= 1e-10; step /= 2) {
      const Sigmoid next{s.a + step * d_a, s.b + step * d_b};
      const double next_value = likelihood.value(next);
      if (next_value < value + 1e-4 * step * slope) {
        s = next;
        value = next_value;
        break;
      }
    }
    if (step < 1e-10) break;
  }
  return s;
}

std::vector<double> couple_pairs(int64_t k, std::span<const double> r) {
  require(k >= 1 && std::ssize(r) == k * (k - 1) / 2, "SVM: ", r.size(),
          " probabilities of pairs for ", k, " classes");
  for (double value : r)
    require(value >= 0 && value <= 1, "SVM: expected probabilities from 0 to 1, got ", value);
  const auto n = static_cast<size_t>(k);
  std::vector<double> q(n * n, 0.0), p(n, 1.0 / static_cast<double>(k)), qp(n);
  for_each_pair(k, [&](int64_t pair, int64_t i, int64_t j) {
    const auto a = static_cast<size_t>(i), b = static_cast<size_t>(j);
    const double r_ij = std::clamp(r[static_cast<size_t>(pair)], least, 1 - least), r_ji = 1 - r_ij;
    q[a * n + a] += r_ji * r_ji;
    q[b * n + b] += r_ij * r_ij;
    q[a * n + b] = q[b * n + a] = -r_ji * r_ij;
  });
  for (int64_t round = 0; round < std::max<int64_t>(100, k); ++round) {
    double pqp = 0;
    for (size_t a = 0; a < n; ++a) {
      qp[a] = 0;
      for (size_t b = 0; b < n; ++b) qp[a] += q[a * n + b] * p[b];
      pqp += p[a] * qp[a];
    }
    double error = 0;
    for (size_t a = 0; a < n; ++a) error = std::max(error, std::abs(qp[a] - pqp));
    if (error < 0.005 / static_cast<double>(k)) break;
    for (size_t a = 0; a < n; ++a) {
      const double change = (pqp - qp[a]) / q[a * n + a];
      p[a] += change;
      const double sum = 1 + change;
      pqp = (pqp + change * (change * q[a * n + a] + 2 * qp[a])) / (sum * sum);
      for (size_t b = 0; b < n; ++b) {
        qp[b] = (qp[b] + change * q[a * n + b]) / sum;
        p[b] /= sum;
      }
    }
  }
  return p;
}

void fit_pairwise_sigmoids(const TrainingKernel& kernel, const ClassRows& classes,
                           const SvcOptions& options, SvcModel& model) {
  const int64_t k = classes.size();
  std::vector<PairProblem> pairs;
  for_each_pair(k, [&](int64_t, int64_t i, int64_t j) {
    const auto a = static_cast<size_t>(i), b = static_cast<size_t>(j);
    pairs.push_back({.first = classes.members[a],
                     .second = classes.members[b],
                     .C_first = class_C(options, classes.labels[a]),
                     .C_second = class_C(options, classes.labels[b]),
                     .share = 1.0 / threads()});
  });
  model.prob_a.resize(pairs.size());
  model.prob_b.resize(pairs.size());
  parallel_for_dynamic(std::ssize(pairs), [&](int64_t pair) {
    const Sigmoid s = fit_pair(
        kernel, pairs[static_cast<size_t>(pair)], smo_options(options),
        Random(options.seed, combine(hash_name("svm/platt"), static_cast<uint64_t>(pair))));
    model.prob_a[static_cast<size_t>(pair)] = s.a;
    model.prob_b[static_cast<size_t>(pair)] = s.b;
  });
}

Tensor pairwise_probabilities(const SvcModel& model, const Tensor& x) {
  return pairwise_probabilities_from_decisions(model, decision_values(model, x));
}

Tensor pairwise_probabilities_from_decisions(const SvcModel& model, const Tensor& decisions) {
  require(model.prob_a.size() == model.rho.size() && model.prob_b.size() == model.rho.size(),
          "the SVM was trained without probabilities; train it with svm-train -b 1");
  check_decisions(model, decisions);
  const int64_t m = decisions.dim(0), pairs = decisions.dim(1), k = std::ssize(model.classes);
  Tensor out({m, k}, DType::f64);
  std::vector<double> r(static_cast<size_t>(pairs));
  for (int64_t i = 0; i < m; ++i) {
    for (size_t p = 0; p < r.size(); ++p) {
      const double z =
          decisions.data<double>()[i * pairs + static_cast<int64_t>(p)] * model.prob_a[p] +
          model.prob_b[p];
      r[p] = std::clamp(1 / (1 + std::exp(z)), least, 1 - least);
    }
    // Two classes need no coupling.
    const auto probability = k == 2 ? std::vector<double>{r[0], 1 - r[0]} : couple_pairs(k, r);
    std::copy(probability.begin(), probability.end(), out.data<double>() + i * k);
  }
  return out;
}

std::vector<int> most_probable(const SvcModel& model, const Tensor& probabilities) {
  const auto k = std::ssize(model.classes);
  require(probabilities.rank() == 2 && probabilities.dtype() == DType::f64 &&
              probabilities.dim(1) == k && k > 0,
          "SVM: expected probabilities F64 (rows,", k, "), got ", to_string(probabilities.dtype()),
          " ", to_string(probabilities.shape()));
  std::vector<int> out;
  for (int64_t i = 0; i < probabilities.dim(0); ++i) {
    const double* row = probabilities.data<double>() + i * k;
    out.push_back(model.classes[static_cast<size_t>(std::max_element(row, row + k) - row)]);
  }
  return out;
}

}  // namespace limbic::svm
