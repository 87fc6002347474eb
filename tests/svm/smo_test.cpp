#include "limbic/svm/smo.h"

#include <doctest/doctest.h>

#include <cmath>
#include <numeric>

#include "limbic/svm/kernel.h"
#include "tests/svm/golden.h"

using namespace limbic;
using namespace limbic::svm;
using namespace limbic::testing;

namespace {

// K in f64 by its definition.
std::vector<double> exact_kernel(const Tensor& x, const SvcOptions& options) {
  const int64_t n = x.dim(0), d = x.dim(1);
  std::vector<double> out;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) {
      double dot = 0, distance = 0;
      for (int64_t c = 0; c < d; ++c) {
        const double a = x.data()[i * d + c], b = x.data()[j * d + c];
        dot += a * b;
        distance += (a - b) * (a - b);
      }
      out.push_back(options.kernel == KernelType::linear ? dot
                                                         : std::exp(-options.gamma * distance));
    }
  return out;
}

struct Optimality {
  double violation, balance, objective;
};

// How far `alpha` is from the KKT conditions under the exact kernel.
Optimality optimality(const std::vector<double>& kernel, const SmoProblem& problem,
                      const std::vector<double>& alpha, int64_t n) {
  double up = -INFINITY, low = INFINITY;
  Optimality out{0, 0, 0};
  for (size_t i = 0; i < alpha.size(); ++i) {
    const double y = problem.y[i], C = y > 0 ? problem.C_positive : problem.C_negative;
    CHECK((alpha[i] >= 0 && alpha[i] <= C));
    double gradient = -1;
    for (size_t j = 0; j < alpha.size(); ++j)
      gradient += y * problem.y[j] * alpha[j] *
                  kernel[static_cast<size_t>(problem.rows[i] * n + problem.rows[j])];
    if (y > 0 ? alpha[i] < C : alpha[i] > 0) up = std::max(up, -y * gradient);
    if (y > 0 ? alpha[i] > 0 : alpha[i] < C) low = std::min(low, -y * gradient);
    out.balance += y * alpha[i];
    out.objective += alpha[i] * (gradient - 1) / 2;
  }
  out.violation = up - low;
  return out;
}

}  // namespace

TEST_CASE("smo: the KKT conditions hold within eps under an exact kernel, with all precisions") {
  for (const std::string name : golden_cases) {
    CAPTURE(name);
    const Golden golden(name);
    const Tensor& x = golden.data.x;
    const int64_t n = x.dim(0);
    const Tensor kernel = kernel_matrix(x, {golden.options.kernel, golden.options.gamma});
    const std::vector<double> exact = exact_kernel(x, golden.options);
    // One class against the rest, over every second row.
    std::vector<int64_t> rows;
    std::vector<int8_t> y;
    for (int64_t i = 0; i < n; i += 2) {
      rows.push_back(i);
      y.push_back(golden.data.labels[static_cast<size_t>(i)] == golden.model.classes[1] ? 1 : -1);
    }
    WholeRows kernel_rows({kernel.data(), n, n, n});
    const SmoProblem problem{kernel_rows, rows, y, 2.0, 0.7};
    std::vector<double> objective;
    for (bool shrinking : {true, false}) {
      const SmoResult result = solve_smo(problem, {.shrinking = shrinking});
      CHECK(result.converged);
      objective.push_back(result.objective);
      const Optimality check = optimality(exact, problem, result.alpha, n);
      CHECK(check.violation < 1e-3 * 1.01);
      CHECK(std::abs(check.balance) < 1e-9);
      CHECK(check.objective == doctest::Approx(result.objective).epsilon(1e-5));
    }
    CHECK(objective[0] == doctest::Approx(objective[1]).epsilon(1e-5));
  }
}

TEST_CASE("smo: shrinking puts variables aside, also from a start, and finds the same optimum") {
  for (const std::string name : {"cancer_raw", "wine_raw"}) {
    CAPTURE(name);
    const Golden golden(name);
    const Tensor& x = golden.data.x;
    const int64_t n = x.dim(0);
    const Tensor kernel = kernel_matrix(x, {.type = KernelType::linear});
    const std::vector<double> same(kernel.data(), kernel.data() + n * n);
    std::vector<int64_t> rows;
    std::vector<int8_t> y;
    for (int64_t i = 0; i < n; ++i) {
      rows.push_back(i);
      y.push_back(golden.data.labels[static_cast<size_t>(i)] == golden.model.classes[0] ? 1 : -1);
    }
    WholeRows kernel_rows({kernel.data(), n, n, n});
    std::vector<double> start;
    for (double C : {0.01, 0.1}) {
      CAPTURE(C);
      const SmoProblem problem{.kernel = kernel_rows,
                               .rows = rows,
                               .y = y,
                               .C_positive = C,
                               .C_negative = C,
                               .start = start};
      const SmoResult with = solve_smo(problem), without = solve_smo(problem, {.shrinking = false});
      CHECK(without.visited == without.iterations * n);
      CHECK(with.visited < with.iterations * n / 2);
      CHECK((with.converged && without.converged));
      CHECK(with.objective == doctest::Approx(without.objective).epsilon(1e-4));
      CHECK(optimality(same, problem, with.alpha, n).violation < 1e-3 * 1.01);
      start = with.alpha;
      for (double& alpha : start) alpha *= 10;
    }
  }
}

TEST_CASE(
    "smo: a start that is not feasible, rows that are none and numbers out of range are refused") {
  const std::vector<float> identity{1, 0, 0, 1}, broken{1, NAN, NAN, 1};
  WholeRows kernel({identity.data(), 2, 2, 2}), nan_kernel({broken.data(), 2, 2, 2});
  const std::vector<int64_t> rows{0, 1};
  const std::vector<int8_t> y{1, -1};
  const SmoProblem good{.kernel = kernel, .rows = rows, .y = y};
  const auto refused = [&](auto change) {
    SmoProblem problem = good;
    change(problem);
    CHECK_THROWS_AS(solve_smo(problem), Error);
  };
  const std::vector<std::vector<double>> starts = {{NAN, NAN}, {0.5, 0.4},           {-0.5, -0.5},
                                                   {1.5, 1.5}, {INFINITY, INFINITY}, {0.5}};
  for (const auto& start : starts) refused([&](SmoProblem& p) { p.start = start; });
  const std::vector<double> whole{1 + 1e-12, 1}, not_finite{NAN, -1};
  CHECK(solve_smo({.kernel = kernel, .rows = rows, .y = y, .start = whole}).alpha ==
        std::vector<double>{1, 1});
  refused([&](SmoProblem& p) { p.p = not_finite; });
  const std::vector<int64_t> outside{0, 2}, negative{-1, 1};
  refused([&](SmoProblem& p) { p.rows = outside; });
  refused([&](SmoProblem& p) { p.rows = negative; });
  CHECK_THROWS_AS(solve_smo({.kernel = nan_kernel, .rows = rows, .y = y}), Error);
  for (double eps : {0.0, -1.0, double{NAN}}) CHECK_THROWS_AS(solve_smo(good, {.eps = eps}), Error);
  CHECK_THROWS_AS(solve_smo(good, {.max_iterations = -1}), Error);
}

TEST_CASE("smo: two points have the solution that the textbook gives") {
  // K = identity, y = (1,-1): alpha = min(1, C) each, f = alpha^2 - 2 alpha, rho = 0.
  const std::vector<float> identity{1, 0, 0, 1};
  WholeRows kernel({identity.data(), 2, 2, 2});
  const std::vector<int64_t> rows{0, 1};
  const std::vector<int8_t> y{1, -1};
  for (double C : {0.25, 4.0}) {
    const SmoResult result = solve_smo({kernel, rows, y, C, C});
    const double alpha = std::min(1.0, C);
    CHECK(result.alpha == std::vector<double>{alpha, alpha});
    CHECK(result.objective == doctest::Approx(alpha * alpha - 2 * alpha));
    CHECK(result.rho == 0);
  }
}

TEST_CASE("smo: a kernel of ones (no curvature) ends, and one class alone is refused") {
  const std::vector<float> ones(16, 1.0f);
  WholeRows kernel({ones.data(), 4, 4, 4});
  const std::vector<int64_t> rows{0, 1, 2, 3};
  const std::vector<int8_t> y{1, -1, 1, 1}, one(4, 1);
  const SmoResult result = solve_smo({kernel, rows, y, 1, 1});
  CHECK(result.converged);
  CHECK(result.alpha[1] == 1);
  CHECK(std::accumulate(result.alpha.begin(), result.alpha.end(), 0.0) == doctest::Approx(2));
  CHECK_THROWS_AS(solve_smo({kernel, rows, one, 1, 1}), Error);
  CHECK_THROWS_AS(solve_smo({kernel, rows, y, 0, 1}), Error);
}
