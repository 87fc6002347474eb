#include "limbic/svm/smo.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "limbic/core/error.h"
#include "limbic/svm/working_set.h"

namespace limbic::svm {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// Variables stand in an order of the solver's own: the first `active_` are looked at, the others
// are shrunk away (they sit at a bound and seem to stay there). In that order, u_i = -y_i grad_i f
// is kept for the active ones. Optimal within eps: max u over I_up - min u over I_low < eps, where
// I_up are the variables whose y_i alpha_i may grow and I_low those whose y_i alpha_i may fall.
class Solver {
 public:
  Solver(const SmoProblem& problem, const SmoOptions& options)
      : problem_(problem),
        options_(options),
        n_(problem.rows.size()),
        active_(n_),
        variable_(n_),
        row_(problem.rows.begin(), problem.rows.end()),
        y_(problem.y.begin(), problem.y.end()),
        alpha_(n_, 0.0),
        p_(problem.p.begin(), problem.p.end()),
        u_(n_),
        not_up_(n_),
        not_low_(n_),
        diagonal_(n_),
        row_i_(n_),
        row_j_(n_) {
    if (p_.empty()) p_.assign(n_, -1.0);
    std::iota(variable_.begin(), variable_.end(), size_t{0});
    if (!problem.start.empty()) alpha_.assign(problem.start.begin(), problem.start.end());
    for (size_t t = 0; t < n_; ++t) {
      alpha_[t] = on_bound(t, alpha_[t], 0);
      diagonal_[t] = problem_.kernel.diagonal(row_[t]);
      mark(t);
    }
    compute_u(0);
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
      result.visited += static_cast<int64_t>(active_);
      step(i, j);
    }
    result.converged = result.iterations < limit;
    restore();
    finish(result);
    return result;
  }

 private:
  double bound(size_t t) const { return y_[t] > 0 ? problem_.C_positive : problem_.C_negative; }
  bool in_up(size_t t) const { return not_up_[t] == 0; }
  bool in_low(size_t t) const { return not_low_[t] == 0; }

  // Notes whether y_t alpha_t may grow and fall.
  void mark(size_t t) {
    const bool below = alpha_[t]<bound(t), above = alpha_[t]> 0;
    not_up_[t] = (y_[t] > 0 ? below : above) ? 0 : -infinity;
    not_low_[t] = (y_[t] > 0 ? above : below) ? 0 : infinity;
  }

  // alpha_t, come from `before`, landing exactly on a bound that is only rounding away. C may be
  // 1e30 and alpha 1: what counts as nothing is told by where it came from.
  double on_bound(size_t t, double alpha, double before) const {
    constexpr double rounding = 1e-14;
    const double C = bound(t);
    return alpha <= rounding * before ? 0 : alpha >= C - rounding * C ? C : alpha;
  }

  // K(t, active), from a cache perhaps.
  void fetch(size_t t, std::vector<float>& out) {
    if (!problem_.kernel.ready(row_[t])) load_with_likely(t);
    gather(problem_.kernel.row(row_[t]), row_.data(), out.data(), static_cast<int64_t>(active_));
  }

  // Computes the row of t and, as a product of matrices costs little more for many rows than for
  // one, those of the variables that violate the KKT conditions most.
  void load_with_likely(size_t t) {
    std::vector<int64_t> batch{row_[t]};
    const auto room = static_cast<size_t>(problem_.kernel.batch() - 1);
    const auto add = [&](bool up, size_t wanted) {
      std::vector<std::pair<double, int64_t>> found;
      for (size_t s = 0; s < active_; ++s)
        if (s != t && (up ? in_up(s) : in_low(s)) && !problem_.kernel.ready(row_[s]))
          found.emplace_back(up ? -u_[s] : u_[s], row_[s]);
      wanted = std::min(wanted, found.size());
      std::partial_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(wanted),
                        found.end());
      for (size_t s = 0; s < wanted; ++s)
        if (std::find(batch.begin(), batch.end(), found[s].second) == batch.end())
          batch.push_back(found[s].second);
    };
    add(true, room / 2);
    add(false, room - room / 2);
    problem_.kernel.load(batch);
  }

  // i: the largest u of I_up; j: of I_low, the one that promises the largest fall of f. False if
  // the active variables are optimal. Leaves the kernel row of i in row_i_.
  bool select(size_t& i, size_t& j) {
    const auto n = static_cast<int64_t>(active_);
    const Largest first = find_largest(u_.data(), not_up_.data(), n);
    if (first.index < 0) return false;
    i = static_cast<size_t>(first.index);
    fetch(i, row_i_);
    const Second second = find_second({.u = u_.data(),
                                       .not_low = not_low_.data(),
                                       .diagonal = diagonal_.data(),
                                       .row_i = row_i_.data(),
                                       .u_i = first.value,
                                       .diagonal_i = diagonal_[i]},
                                      n);
    j = static_cast<size_t>(second.index);
    return second.index >= 0 && second.violation >= options_.eps;
  }

  // Minimises f over the pair: y_i alpha_i grows and y_j alpha_j falls by the same amount.
  void step(size_t i, size_t j) {
    fetch(j, row_j_);
    const double curvature = diagonal_[i] + diagonal_[j] - 2.0 * double{row_i_[j]};
    const double room_i = y_[i] > 0 ? bound(i) - alpha_[i] : alpha_[i];
    const double room_j = y_[j] > 0 ? alpha_[j] : bound(j) - alpha_[j];
    const double wanted = (u_[i] - u_[j]) / (curvature > 0 ? curvature : smallest_curvature);
    const double moved = std::min({wanted, room_i, room_j});
    const double moved_i = move(i, moved), moved_j = move(j, -moved);
    subtract_rows({moved_i, row_i_.data()}, {moved_j, row_j_.data()}, u_.data(),
                  static_cast<int64_t>(active_));
  }

  // Adds to y_t alpha_t; what it added.
  double move(size_t t, double amount) {
    const double before = alpha_[t];
    alpha_[t] = on_bound(t, before + y_[t] * amount, before);
    mark(t);
    return y_[t] * (alpha_[t] - before);
  }

  // The largest u of I_up and the smallest of I_low, over the active variables.
  struct Extremes {
    double up = -infinity, low = infinity;
  };
  Extremes extremes() const {
    Extremes out;
    for (size_t t = 0; t < active_; ++t) {
      if (in_up(t)) out.up = std::max(out.up, u_[t]);
      if (in_low(t)) out.low = std::min(out.low, u_[t]);
    }
    return out;
  }

  // Puts aside active variables at a bound whose u says that they stay there: one that can only
  // fall violates with members of I_up above it, and above the largest there is none.
  void shrink() {
    Extremes e = extremes();
    if (!restored_near_end_ && e.up - e.low <= 10 * options_.eps) {
      restored_near_end_ = true;  // shrinking too early is undone once, near the end
      restore();
      e = extremes();
    }
    for (size_t t = 0; t < active_;) {
      const bool stays = (!in_up(t) && u_[t] > e.up) || (!in_low(t) && u_[t] < e.low);
      if (stays)
        swap(t, --active_);
      else
        ++t;
    }
  }

  void swap(size_t a, size_t b) {
    std::swap(variable_[a], variable_[b]);
    std::swap(row_[a], row_[b]);
    for (std::vector<double>* values : {&y_, &alpha_, &p_, &u_, &not_up_, &not_low_, &diagonal_})
      std::swap((*values)[a], (*values)[b]);
  }

  // Makes all variables active again, recomputing u of those that were not.
  void restore() {
    const size_t begin = active_;
    active_ = n_;
    compute_u(begin);
  }

  // u of the variables from `begin` on, by its definition: u_t = -y_t p_t - sum_s y_s alpha_s K_st.
  void compute_u(size_t begin) {
    if (begin == n_) return;
    for (size_t t = begin; t < n_; ++t) u_[t] = -y_[t] * p_[t];
    std::vector<size_t> support;
    for (size_t s = 0; s < n_; ++s)
      if (alpha_[s] != 0) support.push_back(s);
    const auto left = static_cast<int64_t>(n_ - begin);
    for (size_t at = 0; at < support.size(); ++at) {
      const size_t s = support[at];
      if (!problem_.kernel.ready(row_[s])) load_support(support, at);
      gather(problem_.kernel.row(row_[s]), row_.data() + begin, row_j_.data(), left);
      subtract_rows({y_[s] * alpha_[s], row_j_.data()}, {0, row_j_.data()}, u_.data() + begin,
                    left);
    }
  }

  // Rows of the next support vectors that are not there.
  void load_support(const std::vector<size_t>& support, size_t at) {
    std::vector<int64_t> batch;
    for (; at < support.size() && std::ssize(batch) < problem_.kernel.batch(); ++at)
      if (const int64_t row = row_[support[at]]; !problem_.kernel.ready(row)) batch.push_back(row);
    problem_.kernel.load(batch);
  }

  void finish(SmoResult& result) const {
    double free_sum = 0;
    int64_t free = 0;
    result.alpha.resize(n_);
    for (size_t t = 0; t < n_; ++t) {
      result.alpha[variable_[t]] = alpha_[t];
      result.objective += alpha_[t] * (p_[t] - y_[t] * u_[t]) / 2;  // grad_t = -y_t u_t
      if (in_up(t) && in_low(t)) ++free, free_sum += u_[t];
    }
    const Extremes e = extremes();
    result.rho = free > 0 ? -free_sum / static_cast<double>(free) : -(e.up + e.low) / 2;
    require(std::isfinite(result.rho) && std::isfinite(result.objective),
            "SVM: the kernel values are not finite");
  }

  const SmoProblem& problem_;
  const SmoOptions& options_;
  size_t n_, active_;
  std::vector<size_t> variable_;  // the problem's index of each
  std::vector<int32_t> row_;
  std::vector<double> y_, alpha_, p_, u_;
  std::vector<double> not_up_, not_low_;  // see working_set.h
  std::vector<double> diagonal_;
  std::vector<float> row_i_, row_j_;
  bool restored_near_end_ = false;
};

// alpha of a start within its bounds and balanced, but for what rescaling and rounding leave.
void check_start(const SmoProblem& problem) {
  constexpr double slack = 1e-6;
  double sum = 0, balance = 0;
  for (size_t t = 0; t < problem.start.size(); ++t) {
    const double alpha = problem.start[t],
                 C = problem.y[t] > 0 ? problem.C_positive : problem.C_negative;
    require(alpha >= 0 && alpha <= C * (1 + slack), "SVM: initial value ", t, " is ", alpha,
            ", expected from 0 to C = ", C);
    sum += alpha;
    balance += problem.y[t] * alpha;
  }
  require(std::abs(balance) <= slack * sum, "SVM: the initial values have y' alpha = ", balance,
          ", expected 0");
}

void check(const SmoProblem& problem, const SmoOptions& options) {
  require(problem.C_positive > 0 && problem.C_negative > 0, "SVM: expected C > 0, got ",
          problem.C_positive, " and ", problem.C_negative);
  require(options.eps > 0 && std::isfinite(options.eps) && options.max_iterations >= 0,
          "SVM: expected eps > 0 and finite, got ", options.eps, ", and iterations from 0, got ",
          options.max_iterations);
  const size_t n = problem.rows.size();
  require(n == problem.y.size() && (problem.p.empty() || problem.p.size() == n) &&
              (problem.start.empty() || problem.start.size() == n),
          "SVM: ", n, " rows but ", problem.y.size(), " labels, ", problem.p.size(),
          " linear terms and ", problem.start.size(), " initial values");
  const int64_t samples = problem.kernel.samples();
  require(samples <= std::numeric_limits<int32_t>::max(), "SVM: more than 2^31 samples");
  for (int64_t row : problem.rows)
    require(row >= 0 && row < samples, "SVM: expected rows from 0 to ", samples - 1, ", got ", row);
  for (double p : problem.p)
    require(std::isfinite(p), "SVM: expected finite linear terms, got ", p);
  const auto positives = std::count(problem.y.begin(), problem.y.end(), int8_t{1});
  const auto negatives = std::count(problem.y.begin(), problem.y.end(), int8_t{-1});
  require(positives > 0 && negatives > 0 && positives + negatives == std::ssize(problem.y),
          "SVM: expected samples of +1 and -1, got ", positives, " and ", negatives, " of ",
          problem.y.size());
  check_start(problem);
}

}  // namespace

SmoResult solve_smo(const SmoProblem& problem, const SmoOptions& options) {
  check(problem, options);
  return Solver(problem, options).solve();
}

}  // namespace limbic::svm
