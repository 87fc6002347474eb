#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "limbic/core/tensor.h"

namespace limbic::svm {

/// Columns [begin, begin + width) of a concatenated feature vector.
struct FeatureBlock {
  std::string name;
  int64_t begin = 0, width = 0;
};

/// Its columns of x F32 (n,d) -> (n,width).
Tensor take_columns(const Tensor& x, const FeatureBlock& block);

enum class ScaleMode {
  standard,  ///< Each feature to mean 0 and variance 1; one that never varies to 0.
  none,      ///< As it came: the paper's raw mode.
  minmax,    ///< Each feature to [lower, upper]; one that never varies to 0.
};

struct ScalerOptions {
  ScaleMode mode = ScaleMode::standard;
  double lower = -1, upper = 1;  ///< Of minmax.
};

/// Scales blocks of features and then weights them. The order matters: scaling after weighting
/// would cancel the weights. Statistics are f64, variances biased (divisor n).
struct BlockScaler {
  std::vector<FeatureBlock> blocks;
  std::vector<double> centre, factor, offset;  ///< v -> (v - centre) factor + offset, a feature.
  std::vector<double> variance;                ///< Of each scaled, unweighted training feature.

  int64_t features() const { return static_cast<int64_t>(centre.size()); }
};

/// Learns from x F32 (n,d). Throws Error unless the blocks cover the columns one after the other,
/// lower < upper, and all features are finite.
BlockScaler fit_scaler(const Tensor& x, std::vector<FeatureBlock> blocks,
                       const ScalerOptions& options = {});

/// x F32 (m,d) -> F32 (m,d), each block scaled and then multiplied by its weight (1 without
/// weights). Throws Error for other numbers of features or of weights, or non-finite features.
Tensor apply_scaler(const BlockScaler& scaler, const Tensor& x,
                    std::span<const double> weights = {});

/// Gamma by the rule `scale`: 1 / (sum over blocks of weight^2 times the summed variance of the
/// block's scaled features); 1 where that sum is 0.
double gamma_scale(const BlockScaler& scaler, std::span<const double> weights = {});

}  // namespace limbic::svm
