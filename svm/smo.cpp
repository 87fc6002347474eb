#include "svm/smo.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "nn/core/error.h"

namespace limbic {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double tau = 1e-12;  // stands for a curvature that is not positive

// Samples stand in an order of the solver's own: the first `active_` are looked at, the others are
// shrunk away (they sit at a bound and seem to stay there). In that order, u_i = -y_i grad_i f is
// kept for the active ones. Optimal within eps: max u over I_up - min u over I_low < eps, where
// I_up are the samples whose y_i alpha_i may grow and I_low those whose y_i alpha_i may fall.
class Solver {
 public:
  Solver(const SmoProblem& problem, const SmoOptions& options)
      : problem_(problem),
        options_(options),
        n_(problem.rows.size()),
        active_(n_),
        sample_(n_),
        row_(problem.rows.begin(), problem.rows.end()),
        y_(problem.y.begin(), problem.y.end()),
        alpha_(n_, 0.0),
        u_(y_),
        diagonal_(n_),
        row_i_(n_),
        row_j_(n_) {
    std::iota(sample_.begin(), sample_.end(), size_t{0});
    for (size_t t = 0; t < n_; ++t) diagonal_[t] = kernel(row_[t])[row_[t]];
  }

  SmoResult solve() {
    const int64_t limit = options_.max_iterations > 0
                              ? options_.max_iterations
                              : std::max<int64_t>(10'000'000, 100 * static_cast<int64_t>(n_));
    const auto shrink_interval = static_cast<int64_t>(std::min<size_t>(n_, 1000));
    int64_t until_shrink = shrink_interval;
    SmoResult result;
    while (result.iterations < limit) {
      if (options_.shrinking && --until_shrink == 0) {
        until_shrink = shrink_interval;
        shrink();
      }
      size_t i = 0, j = 0;
      if (!select(i, j)) {
        restore();  // what was shrunk away must agree
        if (!select(i, j)) break;
        until_shrink = 1;
      }
      ++result.iterations;
      step(i, j);
    }
    result.converged = result.iterations < limit;
    restore();
    finish(result);
    return result;
  }

 private:
  const float* kernel(int64_t row) const {
    return problem_.kernel.data + row * problem_.kernel.stride;
  }
  double bound(size_t t) const { return y_[t] > 0 ? problem_.C_positive : problem_.C_negative; }
  bool in_up(size_t t) const { return y_[t] > 0 ? alpha_[t] < bound(t) : alpha_[t] > 0; }
  bool in_low(size_t t) const { return y_[t] > 0 ? alpha_[t] > 0 : alpha_[t] < bound(t); }

  void gather(size_t t, std::vector<float>& out) const {
    const float* values = kernel(row_[t]);
    for (size_t s = 0; s < active_; ++s) out[s] = values[row_[s]];
  }

  // i: the largest u of I_up; j: of I_low, the one that promises the largest fall of f. False if
  // the active samples are optimal. Leaves the kernel row of i in row_i_.
  bool select(size_t& i, size_t& j) {
    double up = -infinity, low = infinity, best = infinity;
    for (size_t t = 0; t < active_; ++t)
      if (in_up(t) && u_[t] >= up) up = u_[t], i = t;
    if (up == -infinity) return false;
    gather(i, row_i_);
    for (size_t t = 0; t < active_; ++t) {
      if (!in_low(t)) continue;
      low = std::min(low, u_[t]);
      const double violation = up - u_[t];
      if (violation <= 0) continue;
      const double curvature = diagonal_[i] + diagonal_[t] - 2.0 * double{row_i_[t]};
      const double change = -violation * violation / (curvature > 0 ? curvature : tau);
      if (change <= best) best = change, j = t;
    }
    return best < infinity && up - low >= options_.eps;
  }

  // Minimises f over the pair: y_i alpha_i grows and y_j alpha_j falls by the same amount.
  void step(size_t i, size_t j) {
    gather(j, row_j_);
    const double curvature = diagonal_[i] + diagonal_[j] - 2.0 * double{row_i_[j]};
    const double room_i = y_[i] > 0 ? bound(i) - alpha_[i] : alpha_[i];
    const double room_j = y_[j] > 0 ? alpha_[j] : bound(j) - alpha_[j];
    const double wanted = (u_[i] - u_[j]) / (curvature > 0 ? curvature : tau);
    const double moved = std::min({wanted, room_i, room_j});
    const double moved_i = move(i, moved), moved_j = move(j, -moved);
    for (size_t t = 0; t < active_; ++t)
      u_[t] -= moved_i * double{row_i_[t]} + moved_j * double{row_j_[t]};
  }

  // Adds to y_t alpha_t, landing exactly on a bound that is only rounding away; what it added.
  double move(size_t t, double amount) {
    const double before = alpha_[t], C = bound(t), rounding = 1e-14 * C;
    double after = before + y_[t] * amount;
    if (after < rounding) after = 0;
    if (after > C - rounding) after = C;
    alpha_[t] = after;
    return y_[t] * (after - before);
  }

  // Puts aside active samples at a bound whose u says that they stay there.
  void shrink() {
    double up = -infinity, low = infinity;
    for (size_t t = 0; t < active_; ++t) {
      if (in_up(t)) up = std::max(up, u_[t]);
      if (in_low(t)) low = std::min(low, u_[t]);
    }
    if (!restored_near_end_ && up - low <= 10 * options_.eps) {
      restored_near_end_ = true;  // shrinking too early is undone once, near the end
      restore();
    }
    for (size_t t = 0; t < active_;) {
      const bool stays = (!in_low(t) && u_[t] > up) || (!in_up(t) && u_[t] < low);
      if (stays)
        swap(t, --active_);
      else
        ++t;
    }
  }

  void swap(size_t a, size_t b) {
    std::swap(sample_[a], sample_[b]);
    std::swap(row_[a], row_[b]);
    std::swap(y_[a], y_[b]);
    std::swap(alpha_[a], alpha_[b]);
    std::swap(u_[a], u_[b]);
    std::swap(diagonal_[a], diagonal_[b]);
  }

  // Makes all samples active again, recomputing u of those that were not.
  void restore() {
    if (active_ == n_) return;
    std::copy(y_.begin() + static_cast<std::ptrdiff_t>(active_), y_.end(),
              u_.begin() + static_cast<std::ptrdiff_t>(active_));
    for (size_t s = 0; s < n_; ++s) {
      if (alpha_[s] == 0) continue;
      const float* values = kernel(row_[s]);
      const double coefficient = y_[s] * alpha_[s];
      for (size_t t = active_; t < n_; ++t) u_[t] -= coefficient * double{values[row_[t]]};
    }
    active_ = n_;
  }

  void finish(SmoResult& result) const {
    double up = -infinity, low = infinity, free_sum = 0;
    int64_t free = 0;
    result.alpha.resize(n_);
    for (size_t t = 0; t < n_; ++t) {
      result.alpha[sample_[t]] = alpha_[t];
      result.objective -= alpha_[t] * (y_[t] * u_[t] + 1) / 2;  // grad_t = -y_t u_t
      if (in_up(t)) up = std::max(up, u_[t]);
      if (in_low(t)) low = std::min(low, u_[t]);
      if (in_up(t) && in_low(t)) ++free, free_sum += u_[t];
    }
    result.rho = free > 0 ? -free_sum / static_cast<double>(free) : -(up + low) / 2;
  }

  const SmoProblem& problem_;
  const SmoOptions& options_;
  size_t n_, active_;
  std::vector<size_t> sample_;  // the problem's index of each
  std::vector<int64_t> row_;
  std::vector<double> y_, alpha_, u_, diagonal_;
  std::vector<float> row_i_, row_j_;
  bool restored_near_end_ = false;
};

void check(const SmoProblem& problem) {
  const auto positive = [](double C) { return C > 0 && std::isfinite(C); };
  require(positive(problem.C_positive) && positive(problem.C_negative),
          "SVM: expected C > 0 and finite, got ", problem.C_positive, " and ", problem.C_negative);
  require(problem.rows.size() == problem.y.size(), "SVM: ", problem.rows.size(), " rows but ",
          problem.y.size(), " labels");
  const auto positives = std::count(problem.y.begin(), problem.y.end(), int8_t{1});
  const auto negatives = std::count(problem.y.begin(), problem.y.end(), int8_t{-1});
  require(positives > 0 && negatives > 0 && positives + negatives == std::ssize(problem.y),
          "SVM: expected samples of +1 and -1, got ", positives, " and ", negatives, " of ",
          problem.y.size());
}

}  // namespace

SmoResult solve_smo(const SmoProblem& problem, const SmoOptions& options) {
  check(problem);
  return Solver(problem, options).solve();
}

}  // namespace limbic
