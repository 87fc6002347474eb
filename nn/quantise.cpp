#include "limbic/nn/quantise.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "limbic/nn/ops/add.h"
#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/ops/concat.h"
#include "limbic/nn/ops/conv2d.h"
#include "limbic/nn/ops/dropout.h"
#include "limbic/nn/ops/pool2d.h"
#include "limbic/nn/ops/quantise.h"
#include "limbic/nn/ops/relu.h"
#include "limbic/nn/ops/reshape.h"
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

template <class T>
const T* op_of(const Node& node) {
  return dynamic_cast<const T*>(node.op.get());
}

bool is_8_bit(DType dtype) { return dtype == DType::u8 || dtype == DType::i8; }

class Chooser {
 public:
  Chooser(const Graph& graph, DType wide)
      : graph_(graph), wide_(wide), readers_(graph.nodes().size()) {
    for (size_t n = 0; n < readers_.size(); ++n)
      for (int s : graph.nodes()[n].src) readers_[static_cast<size_t>(s)].push_back(int(n));
  }

  std::vector<DType> choose(const std::vector<Shape>& shapes, const Calibration& calibration,
                            const std::vector<bool>& keep_wide) {
    for (size_t n = 0; n < readers_.size(); ++n) {
      const bool image = shapes[n].size() == 4;
      const bool may = op_of<Quantise>(node(n)) != nullptr ||
                       (image && !keep_wide[n] && calibration.count(graph_.nodes()[n].name) > 0);
      dtypes_.push_back(!image ? DType::f32 : may ? wish(n) : wide_);
    }
    for (bool changed = true; changed;) {
      changed = false;
      for (size_t n = 0; n < readers_.size(); ++n)
        if (is_8_bit(dtypes_[n]) && !is_possible(n)) {
          dtypes_[n] = wide_;
          changed = true;
        }
    }
    return dtypes_;
  }

 private:
  const Node& node(size_t n) const { return graph_.nodes()[n]; }
  DType dtype(int n) const { return dtypes_[static_cast<size_t>(n)]; }

  bool is_positive(size_t n) const {  // never below zero
    if (n == 0) return false;
    if (const auto* conv = op_of<Conv2d>(node(n))) return conv->fused().relu;
    if (const auto* norm = op_of<BatchNorm>(node(n))) return norm->fused().relu;
    if (op_of<Relu>(node(n))) return true;
    const bool keeps_sign = op_of<Pool2d>(node(n)) || op_of<AdaptiveAvgPool2d>(node(n)) ||
                            op_of<Concat>(node(n)) || op_of<Add>(node(n)) ||
                            op_of<Dropout>(node(n)) || op_of<StridedSlicePad>(node(n)) ||
                            op_of<Quantise>(node(n));
    return keeps_sign && std::all_of(node(n).src.begin(), node(n).src.end(),
                                     [&](int s) { return is_positive(static_cast<size_t>(s)); });
  }

  DType wish(size_t n) const {
    if (op_of<Quantise>(node(n))) return is_positive(n) ? DType::u8 : DType::i8;
    const auto* conv = op_of<Conv2d>(node(n));
    const auto* norm = op_of<BatchNorm>(node(n));
    if (is_positive(n) && (conv || (norm && !norm->fused().add) || op_of<Pool2d>(node(n))))
      return DType::u8;
    if (conv && readers_[n].size() == 1 && is_sum_of(readers_[n][0], n)) return DType::i8;
    return wide_;
  }

  bool is_sum_of(int reader, size_t n) const {
    const Node& r = graph_.node(reader);
    const auto* conv = op_of<Conv2d>(r);
    return conv && conv->fused().sum && r.src[1] == static_cast<int>(n);
  }

  bool is_possible(size_t n) const {
    if (op_of<Quantise>(node(n))) return true;
    if (const auto* conv = op_of<Conv2d>(node(n))) {
      if (is_wide(dtype(node(n).src[0]))) return false;
      if (conv->fused().sum && !is_8_bit(dtype(node(n).src[1]))) return false;
    }
    return std::all_of(readers_[n].begin(), readers_[n].end(), [&](int r) {
      const Node& reader = graph_.node(r);
      if (op_of<Conv2d>(reader)) {
        if (is_sum_of(r, n)) return is_8_bit(dtype(r));  // the sum is written over it
        return dtypes_[n] == DType::u8;
      }
      if (dtypes_[n] != DType::u8) return false;
      return op_of<GlobalAvgPool>(reader) || (op_of<Pool2d>(reader) && dtype(r) == DType::u8);
    });
  }

  const Graph& graph_;
  DType wide_;
  std::vector<std::vector<int>> readers_;
  std::vector<DType> dtypes_;
};

}  // namespace

namespace {

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

std::vector<DType> quantised_dtypes(const Graph& graph, const std::vector<Shape>& shapes,
                                    const Calibration& calibration, DType wide,
                                    const std::vector<bool>& keep_wide) {
  return Chooser(graph, wide).choose(shapes, calibration, keep_wide);
}

}  // namespace limbic
