#include "limbic/nn/calibrate.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "limbic/nn/plan.h"

namespace limbic {
namespace {

// The percentile of |x|, of at most 2^18 values spread evenly: over all channels, which lie side by
// side, as a step that has no divisor with their number visits each alike.
float percentile(std::span<const float> x, double share) {
  size_t step = std::max<size_t>(1, x.size() >> 18);
  while (std::gcd(step, x.size()) != 1) ++step;
  std::vector<float> sample;
  for (size_t i = 0; i < x.size(); i += step) {
    if (!std::isfinite(x[i])) return x[i];
    sample.push_back(std::abs(x[i]));
  }
  const auto at =
      sample.begin() + static_cast<int64_t>(share * static_cast<double>(sample.size() - 1) + 0.5);
  std::nth_element(sample.begin(), at, sample.end());
  return *at;
}

// Adds the range of one batch's values; a NaN has none.
void add_range(Calibration& sums, const std::string& name, std::span<const float> values,
               double share) {
  const float range = percentile(values, share);
  require(std::isfinite(range), name, ": its values are not finite on the calibration pictures");
  sums[name] += range;
}

}  // namespace

Calibration calibrate(const Graph& graph, const Parameters& parameters,
                      const std::vector<Tensor>& batches, const CalibrationOptions& options) {
  require(!batches.empty(), "int8 needs pictures to calibrate on, and there are none");
  require(options.percentile > 0 && options.percentile <= 1,
          "calibration: percentile is a share, above 0 and up to 1, got ", options.percentile);
  Plan plan(graph, parameters, PlanOptions::inference(batches[0].shape()));
  Calibration sums;
  plan.observe([&](const std::string& name, std::span<const float> values) {
    add_range(sums, name, values, options.percentile);
  });
  for (const Tensor& batch : batches) {
    plan.run(batch);
    add_range(sums, graph.node(0).name, batch.values(), options.percentile);
  }
  for (auto& [name, sum] : sums) sum /= static_cast<float>(batches.size());
  return sums;
}

}  // namespace limbic
