#include "limbic/svm/scaler.h"

#include <algorithm>
#include <cmath>

#include "limbic/core/parallel.h"
#include "limbic/svm/distances.h"
#include "limbic/svm/products.h"

namespace limbic::svm {
namespace {

// Of each column.
struct Statistics {
  std::vector<double> mean, variance;
  std::vector<float> low, high;
};

Statistics statistics(const Tensor& x) {
  Statistics out{column_means(x), {}, {}, {}};
  const int64_t n = x.dim(0), d = x.dim(1);
  out.low.assign(x.data(), x.data() + d);
  out.high = out.low;
  for_column_ranges(d, [&](int64_t begin, int64_t end) {
    for (int64_t i = 1; i < n; ++i)
      for (int64_t j = begin; j < end; ++j) {
        const float value = x.data()[i * d + j];
        float &low = out.low[static_cast<size_t>(j)], &high = out.high[static_cast<size_t>(j)];
        low = value < low ? value : low;
        high = value > high ? value : high;
      }
  });
  for (size_t j = 0; j < out.mean.size(); ++j)  // exactly, where a rounded mean would differ
    if (out.low[j] == out.high[j]) out.mean[j] = double{out.low[j]};
  out.variance = column_variances(x, out.mean);
  return out;
}

void check_blocks(const std::vector<FeatureBlock>& blocks, int64_t features) {
  int64_t at = 0;
  for (const FeatureBlock& block : blocks) {
    require(block.begin == at && block.width > 0 && block.width <= features - at, "block '",
            block.name, "': expected columns from ", at, " on of ", features, ", got ", block.begin,
            " and a width of ", block.width);
    at += block.width;
  }
  require(at == features, "the feature blocks cover ", at, " columns of ", features);
}

double weight_of(std::span<const double> weights, size_t block) {
  return weights.empty() ? 1.0 : weights[block];
}

void check_weights(const BlockScaler& scaler, std::span<const double> weights) {
  require(weights.empty() || weights.size() == scaler.blocks.size(), "expected ",
          scaler.blocks.size(), " block weights, got ", weights.size());
  for (double weight : weights)
    require(std::isfinite(weight), "expected finite block weights, got ", weight);
}

}  // namespace

Tensor take_columns(const Tensor& x, const FeatureBlock& block) {
  Tensor out = Tensor::uninitialised({x.dim(0), block.width});
  for (int64_t i = 0; i < x.dim(0); ++i)
    std::copy_n(x.data() + i * x.dim(1) + block.begin, block.width, out.data() + i * block.width);
  return out;
}

BlockScaler fit_scaler(const Tensor& x, std::vector<FeatureBlock> blocks,
                       const ScalerOptions& options) {
  check_features(x);
  require(x.dim(0) > 0, "scaler: no rows");
  check_blocks(blocks, x.dim(1));
  require(options.mode != ScaleMode::minmax || options.lower < options.upper,
          "scaler: expected lower < upper, got ", options.lower, " and ", options.upper);
  const auto d = static_cast<size_t>(x.dim(1));
  BlockScaler out{std::move(blocks), std::vector<double>(d, 0.0), std::vector<double>(d, 1.0),
                  std::vector<double>(d, 0.0), std::vector<double>(d, 0.0)};
  const Statistics s = statistics(x);
  for (size_t j = 0; j < d; ++j) {
    const double low{s.low[j]}, high{s.high[j]};
    const bool varies = low < high;
    // One that never varied says nothing, whatever it does later.
    if (!varies && options.mode != ScaleMode::none) out.factor[j] = 0;
    if (options.mode == ScaleMode::standard) {
      out.centre[j] = s.mean[j];
      if (varies) out.factor[j] = 1 / std::sqrt(s.variance[j]);
    } else if (options.mode == ScaleMode::minmax) {
      out.centre[j] = low;
      if (varies) {
        out.factor[j] = (options.upper - options.lower) / (high - low);
        out.offset[j] = options.lower;
      }
    }
    out.variance[j] = s.variance[j] * out.factor[j] * out.factor[j];
  }
  return out;
}

Tensor apply_scaler(const BlockScaler& scaler, const Tensor& x, std::span<const double> weights) {
  check_features(x);
  check_weights(scaler, weights);
  require(
      scaler.factor.size() == scaler.centre.size() && scaler.offset.size() == scaler.centre.size(),
      "scaler: ", scaler.centre.size(), " centres, ", scaler.factor.size(), " factors and ",
      scaler.offset.size(), " offsets");
  check_blocks(scaler.blocks, scaler.features());
  require(x.dim(1) == scaler.features(), "scaler: expected ", scaler.features(), " features, got ",
          x.dim(1));
  Tensor out(x.shape());
  const int64_t d = x.dim(1);
  parallel_for(x.dim(0), [&](int64_t i) {
    const float* src = x.data() + i * d;
    float* dst = out.data() + i * d;
    for (size_t b = 0; b < scaler.blocks.size(); ++b) {
      const FeatureBlock& block = scaler.blocks[b];
      const double weight = weight_of(weights, b);
      for (int64_t column = block.begin; column < block.begin + block.width; ++column) {
        const auto j = static_cast<size_t>(column);
        const double scaled = (src[j] - scaler.centre[j]) * scaler.factor[j] + scaler.offset[j];
        dst[j] = static_cast<float>(weight * scaled);
      }
    }
  });
  return out;
}

double gamma_scale(const BlockScaler& scaler, std::span<const double> weights) {
  check_weights(scaler, weights);
  check_blocks(scaler.blocks, std::ssize(scaler.variance));
  double sum = 0;
  for (size_t b = 0; b < scaler.blocks.size(); ++b) {
    double variance = 0;
    for (int64_t j = 0; j < scaler.blocks[b].width; ++j)
      variance += scaler.variance[static_cast<size_t>(scaler.blocks[b].begin + j)];
    sum += weight_of(weights, b) * weight_of(weights, b) * variance;
  }
  return sum > 0 ? 1 / sum : 1;
}

}  // namespace limbic::svm
