#pragma once
// statistics: how far chance may have moved an accuracy, whether two of them differ, what a
// probability is worth, and how compact classes are.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "limbic/core/tensor.h"

namespace limbic::statistics {

struct Interval {
  double low = 0, high = 0;
};

/// Which of the same pictures a method named rightly, 1 or 0 each.
using Right = std::vector<uint8_t>;
/// right[i] is 1 where predicted[i] is truth[i]. Throws Error for unequal lengths.
Right right_of(std::span<const int64_t> predicted, std::span<const int64_t> truth);
/// Share of ones, 0-1; 0 of none.
double accuracy(std::span<const uint8_t> right);

/// The 95 % interval of an accuracy (or of the difference a - b over the same pictures) by the
/// percentile bootstrap: `resamples` draws of as many pictures with replacement. Deterministic for
/// a seed. Source: Efron and Tibshirani, "An introduction to the bootstrap", 1993, 13.3.
Interval bootstrap(std::span<const uint8_t> right, uint64_t seed, int64_t resamples = 2000);
/// The same of any number a picture: how often of several runs it was named rightly, or the
/// difference of two methods' shares.
Interval bootstrap(std::span<const double> values, uint64_t seed, int64_t resamples = 2000);
Interval bootstrap_difference(std::span<const uint8_t> a, std::span<const uint8_t> b, uint64_t seed,
                              int64_t resamples = 2000);
/// Wilson's 95 % interval (1927) of an accuracy, 0-1, over so many pictures, which holds for few,
/// too; 0 to 1 of none.
Interval wilson(double accuracy, int64_t pictures);

/// McNemar's test that two methods are as often right on the same pictures.
struct McNemar {
  int64_t only_a = 0, only_b = 0;  ///< Pictures that one alone named rightly.
  double p = 1;  ///< Two-sided, exact: of a binomial of only_a + only_b throws of a coin.
  bool differ() const { return p <= 0.05; }
};
McNemar mcnemar(std::span<const uint8_t> a, std::span<const uint8_t> b);

/// P(X >= right) for X binomial of `all` throws with `chance`: small where an accuracy is above
/// chance.
double chance_of_at_least(int64_t right, int64_t all, double chance);

/// What the probability of an answer is worth. A bin holds the answers whose probability lies in
/// (low, high], the first also those of 0.
struct CalibrationBin {
  double low = 0, high = 1;
  int64_t samples = 0;
  double confidence = 0, accuracy = 0;  ///< Means of the bin's answers; 0 where it is empty.
};
struct Calibration {
  std::vector<CalibrationBin> bins;
  /// Expected calibration error: sum over bins of samples / all |accuracy - confidence|. Source:
  /// Guo et al., "On calibration of modern neural networks", ICML 2017.
  double ece = 0;
};
/// confidence[i] in [0,1] is the probability that a model gave its answer, right[i] whether that
/// was right. Throws Error for unequal lengths and probabilities out of range.
Calibration calibrate(std::span<const double> confidence, std::span<const uint8_t> right,
                      int64_t bins = 15);

/// Mean and sample standard deviation (divisor n - 1; 0 of a single value).
struct Spread {
  double mean = 0, deviation = 0;
  int64_t n = 0;
};
Spread spread(std::span<const double> values);

/// How compact classes lie in a feature space: traces of the scatter within and between classes,
/// each divided by the samples. x F32 (n,d); between / within is larger where classes stand apart.
/// Source: Fukunaga, "Introduction to statistical pattern recognition", 1990, 10.2.
struct Scatter {
  double within = 0, between = 0;
};
/// Throws Error for another number of labels than rows.
Scatter scatter(const Tensor& x, std::span<const int64_t> labels);

}  // namespace limbic::statistics
