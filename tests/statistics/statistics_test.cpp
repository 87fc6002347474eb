#include "limbic/statistics/statistics.h"

#include <doctest/doctest.h>

#include <cmath>

#include "limbic/core/error.h"
#include "limbic/core/random.h"

namespace limbic::statistics {
namespace {

Right draw(int64_t n, double chance, uint64_t seed) {
  Random random(seed, 7);
  Right out;
  for (int64_t i = 0; i < n; ++i) out.push_back(random.uniform() < chance);
  return out;
}

TEST_CASE("the bootstrap's interval holds the true accuracy about 95 times in a hundred") {
  int64_t held = 0;
  constexpr int64_t trials = 400;
  for (int64_t t = 0; t < trials; ++t) {
    const Right right = draw(300, 0.65, static_cast<uint64_t>(t));
    const Interval i = bootstrap(right, 5, 400);
    held += i.low <= 0.65 && 0.65 <= i.high;
    CHECK(i.low <= accuracy(right));
    CHECK(accuracy(right) <= i.high);
  }
  CHECK(held >= trials * 91 / 100);
  CHECK(held <= trials * 99 / 100);
}

TEST_CASE("the bootstrap gives the same interval for a seed, and that of the normal law") {
  const Right right = draw(2000, 0.6, 3);
  const Interval a = bootstrap(right, 1), b = bootstrap(right, 1), c = bootstrap(right, 2);
  CHECK(a.low == b.low);
  CHECK(a.high == b.high);
  CHECK((a.low != c.low || a.high != c.high));
  const double p = accuracy(right), half = 1.96 * std::sqrt(p * (1 - p) / 2000);
  CHECK(std::abs(a.low - (p - half)) < 0.004);
  CHECK(std::abs(a.high - (p + half)) < 0.004);
}

TEST_CASE("a paired difference is narrower than two intervals, and 0 of a method and itself") {
  const Right a = draw(1000, 0.7, 11);
  Right b = a;
  for (size_t i = 0; i < 20; ++i) b[i] = 0;  // nearly the same answers
  const Interval own = bootstrap(a, 1), difference = bootstrap_difference(a, b, 1);
  CHECK(difference.high - difference.low < (own.high - own.low) / 2);
  CHECK(difference.low > 0);
  const Interval none = bootstrap_difference(a, a, 1);
  CHECK(none.low == 0);
  CHECK(none.high == 0);
}

TEST_CASE("McNemar's exact test: values of a table") {
  // scipy.stats.binomtest(3, 15).pvalue and so on.
  const auto p = [](int64_t only_a, int64_t only_b) {
    Right a(100), b(100);
    for (int64_t i = 0; i < only_a; ++i) a[static_cast<size_t>(i)] = 1;
    for (int64_t i = 0; i < only_b; ++i) b[static_cast<size_t>(50 + i)] = 1;
    const McNemar m = mcnemar(a, b);
    CHECK(m.only_a == only_a);
    CHECK(m.only_b == only_b);
    return m.p;
  };
  CHECK(p(0, 0) == 1);
  CHECK(p(5, 5) == 1);
  CHECK(p(12, 3) == doctest::Approx(0.03515625).epsilon(1e-9));
  CHECK(p(3, 12) == doctest::Approx(0.03515625).epsilon(1e-9));
  CHECK(p(1, 9) == doctest::Approx(0.021484375).epsilon(1e-9));
  CHECK(p(10, 20) == doctest::Approx(0.0987371).epsilon(1e-5));
}

TEST_CASE("chance of at least so many right answers") {
  CHECK(chance_of_at_least(0, 10, 0.125) == 1);
  CHECK(chance_of_at_least(10, 10, 0.5) == doctest::Approx(std::pow(0.5, 10)));
  CHECK(chance_of_at_least(1, 2, 0.25) == doctest::Approx(1 - 0.75 * 0.75));
  CHECK(chance_of_at_least(3, 2, 0.25) == 0);
  CHECK(chance_of_at_least(1, 2, 0) == 0);
}

TEST_CASE("ECE of probabilities whose error is known") {
  // 15 bins; the answers of 0.9 are right in 0.7 of the cases, those of 0.5 in 0.5.
  std::vector<double> confidence;
  Right right;
  for (int i = 0; i < 1000; ++i) {
    confidence.push_back(0.9);
    right.push_back(i % 10 < 7);
    confidence.push_back(0.5);
    right.push_back(i % 2);
  }
  const Calibration c = calibrate(confidence, right);
  CHECK(c.ece == doctest::Approx(0.5 * 0.2 + 0.5 * 0.0));
  CHECK(c.bins.size() == 15);
  CHECK(c.bins[13].samples == 1000);
  CHECK(c.bins[13].accuracy == doctest::Approx(0.7));
  // Answers as often right as they say: nothing but what few pictures leave.
  Random random(1, 2);
  confidence.clear();
  right.clear();
  for (int i = 0; i < 200000; ++i) {
    confidence.push_back(random.uniform(0.2, 1));
    right.push_back(random.uniform() < confidence.back());
  }
  CHECK(calibrate(confidence, right).ece < 0.006);
  // Twice as sure as right.
  for (double& p : confidence) p = std::min(1.0, p + 0.1);
  CHECK(calibrate(confidence, right).ece == doctest::Approx(0.0938).epsilon(0.05));
  CHECK_THROWS_AS(calibrate(std::vector<double>{1.5}, Right{1}), Error);
  CHECK_THROWS_AS(calibrate(std::vector<double>{0.5, 0.5}, Right{1}), Error);
}

TEST_CASE("scatter: points whose sums one can do by hand") {
  const Tensor x = Tensor::of(std::vector<float>{0, 0, 2, 0, 10, 0, 12, 0}, {4, 2});
  const Scatter s = scatter(x, std::vector<int64_t>{0, 0, 1, 1});
  CHECK(s.within == doctest::Approx(1));    // each a distance of 1 from its mean
  CHECK(s.between == doctest::Approx(25));  // means 1 and 11 around 6
  CHECK_THROWS_AS(scatter(x, std::vector<int64_t>{0}), Error);
}

TEST_CASE("Wilson's interval and spread") {
  const Interval i = wilson(0.8, 10);
  CHECK(i.low == doctest::Approx(0.4902).epsilon(1e-3));
  CHECK(i.high == doctest::Approx(0.9433).epsilon(1e-3));
  CHECK(wilson(0, 0).high == 1);
  const Spread s = spread(std::vector<double>{1, 2, 3});
  CHECK(s.mean == 2);
  CHECK(s.deviation == 1);
  CHECK(spread(std::vector<double>{4}).deviation == 0);
}

}  // namespace
}  // namespace limbic::statistics
