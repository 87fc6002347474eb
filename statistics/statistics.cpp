#include "limbic/statistics/statistics.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "limbic/core/error.h"
#include "limbic/core/parallel.h"
#include "limbic/core/random.h"

namespace limbic::statistics {
namespace {

// log of n over k.
double log_choose(int64_t n, int64_t k) {
  const auto gamma = [](int64_t m) { return std::lgamma(static_cast<double>(m) + 1); };
  return gamma(n) - gamma(k) - gamma(n - k);
}

void require_equal(size_t a, size_t b) {
  require(a == b, "statistics: expected two answers a picture, got ", a, " and ", b);
}

}  // namespace

// The middle 95 % of the means of resampled values; each resample has a key of its own.
Interval bootstrap(std::span<const double> values, uint64_t seed, int64_t resamples) {
  require(resamples >= 40, "bootstrap: expected 40 resamples at least, got ", resamples);
  if (values.empty()) return {};
  std::vector<double> means(static_cast<size_t>(resamples));
  parallel_for_dynamic(resamples, [&](int64_t r) {
    Random random(combine(seed, hash_name("bootstrap")), static_cast<uint64_t>(r));
    double sum = 0;
    for (size_t i = 0; i < values.size(); ++i)
      sum += values[static_cast<size_t>(random.below(std::ssize(values)))];
    means[static_cast<size_t>(r)] = sum / static_cast<double>(values.size());
  });
  std::sort(means.begin(), means.end());
  const auto at = [&](double share) {
    const double place = share * static_cast<double>(resamples - 1);
    const auto below = static_cast<size_t>(place);
    const size_t above = std::min(below + 1, means.size() - 1);
    return std::lerp(means[below], means[above], place - std::floor(place));
  };
  return {at(0.025), at(0.975)};
}

Right right_of(std::span<const int64_t> predicted, std::span<const int64_t> truth) {
  require_equal(predicted.size(), truth.size());
  Right out(truth.size());
  for (size_t i = 0; i < truth.size(); ++i) out[i] = predicted[i] == truth[i];
  return out;
}

double accuracy(std::span<const uint8_t> right) {
  if (right.empty()) return 0;
  int64_t sum = 0;
  for (const uint8_t r : right) sum += r;
  return static_cast<double>(sum) / static_cast<double>(right.size());
}

Interval bootstrap(std::span<const uint8_t> right, uint64_t seed, int64_t resamples) {
  return bootstrap(std::vector<double>(right.begin(), right.end()), seed, resamples);
}

Interval bootstrap_difference(std::span<const uint8_t> a, std::span<const uint8_t> b, uint64_t seed,
                              int64_t resamples) {
  require_equal(a.size(), b.size());
  std::vector<double> values(a.size());
  for (size_t i = 0; i < a.size(); ++i) values[i] = a[i] - b[i];
  return bootstrap(values, seed, resamples);
}

Interval wilson(double accuracy, int64_t pictures) {
  if (pictures <= 0) return {0, 1};
  const double z = 1.959964, n = static_cast<double>(pictures), p = accuracy;
  const double scale = 1 + z * z / n, centre = (p + z * z / (2 * n)) / scale;
  const double half = z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / scale;
  return {std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

McNemar mcnemar(std::span<const uint8_t> a, std::span<const uint8_t> b) {
  require_equal(a.size(), b.size());
  McNemar out;
  for (size_t i = 0; i < a.size(); ++i) {
    out.only_a += a[i] && !b[i];
    out.only_b += b[i] && !a[i];
  }
  const int64_t n = out.only_a + out.only_b;
  if (n == 0) return out;
  out.p = std::min(1.0, 2 * chance_of_at_least(std::max(out.only_a, out.only_b), n, 0.5));
  return out;
}

double chance_of_at_least(int64_t right, int64_t all, double chance) {
  require(all >= 0 && chance >= 0 && chance <= 1, "statistics: expected a chance of 0 to 1, got ",
          chance, " of ", all);
  if (right <= 0) return 1;
  if (chance == 0 || chance == 1) return chance == 1 && right <= all ? 1 : 0;
  double sum = 0;
  for (int64_t k = right; k <= all; ++k)
    sum += std::exp(log_choose(all, k) + static_cast<double>(k) * std::log(chance) +
                    static_cast<double>(all - k) * std::log1p(-chance));
  return std::min(1.0, sum);
}

Calibration calibrate(std::span<const double> confidence, std::span<const uint8_t> right,
                      int64_t bins) {
  require_equal(confidence.size(), right.size());
  require(bins >= 1, "calibration: expected one bin at least, got ", bins);
  Calibration out;
  const auto n = static_cast<double>(bins);
  for (int64_t b = 0; b < bins; ++b)
    out.bins.push_back({static_cast<double>(b) / n, static_cast<double>(b + 1) / n, 0, 0, 0});
  for (size_t i = 0; i < right.size(); ++i) {
    require(confidence[i] >= 0 && confidence[i] <= 1 + 1e-9,
            "calibration: expected probabilities, got ", confidence[i]);
    const auto at =
        std::clamp<int64_t>(static_cast<int64_t>(std::ceil(confidence[i] * n)) - 1, 0, bins - 1);
    CalibrationBin& bin = out.bins[static_cast<size_t>(at)];
    ++bin.samples;
    bin.confidence += confidence[i];
    bin.accuracy += right[i];
  }
  for (CalibrationBin& bin : out.bins) {
    if (bin.samples == 0) continue;
    bin.confidence /= static_cast<double>(bin.samples);
    bin.accuracy /= static_cast<double>(bin.samples);
    out.ece += static_cast<double>(bin.samples) / static_cast<double>(right.size()) *
               std::abs(bin.accuracy - bin.confidence);
  }
  return out;
}

Spread spread(std::span<const double> values) {
  Spread out{.mean = 0, .deviation = 0, .n = std::ssize(values)};
  if (values.empty()) return out;
  const auto n = static_cast<double>(values.size());
  for (const double v : values) out.mean += v / n;
  double squares = 0;
  for (const double v : values) squares += (v - out.mean) * (v - out.mean);
  if (values.size() > 1) out.deviation = std::sqrt(squares / (n - 1));
  return out;
}

Scatter scatter(const Tensor& x, std::span<const int64_t> labels) {
  require(x.rank() == 2 && x.dim(0) == std::ssize(labels),
          "scatter: expected (N,D) and N labels, got ", to_string(x.shape()), " and ",
          labels.size());
  const int64_t n = x.dim(0), d = x.dim(1);
  struct Class {
    int64_t samples = 0;
    std::vector<double> mean;
  };
  std::map<int64_t, Class> classes;
  std::vector<double> mean(static_cast<size_t>(d));
  for (int64_t i = 0; i < n; ++i) {
    Class& c = classes[labels[static_cast<size_t>(i)]];
    c.mean.resize(static_cast<size_t>(d));
    ++c.samples;
    for (int64_t k = 0; k < d; ++k) {
      c.mean[static_cast<size_t>(k)] += double{x.data()[i * d + k]};
      mean[static_cast<size_t>(k)] += double{x.data()[i * d + k]} / static_cast<double>(n);
    }
  }
  Scatter out;
  for (auto& [label, c] : classes)
    for (int64_t k = 0; k < d; ++k) {
      double& own = c.mean[static_cast<size_t>(k)];
      own /= static_cast<double>(c.samples);
      const double off = own - mean[static_cast<size_t>(k)];
      out.between += static_cast<double>(c.samples) / static_cast<double>(n) * off * off;
    }
  for (int64_t i = 0; i < n; ++i) {
    const Class& c = classes[labels[static_cast<size_t>(i)]];
    for (int64_t k = 0; k < d; ++k) {
      const double off = double{x.data()[i * d + k]} - c.mean[static_cast<size_t>(k)];
      out.within += off * off / static_cast<double>(n);
    }
  }
  return out;
}

}  // namespace limbic::statistics
