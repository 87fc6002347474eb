#pragma once
// svm: support vector machines over kernel values that come from matrix products, their scaler, and
// LIBSVM's file formats.
#include <cstdint>
#include <span>

#include "limbic/core/tensor.h"

namespace limbic::svm {

struct DistanceOptions {
  /// The largest gamma of an RBF kernel that will use the distances: it decides the precision.
  double gamma = 1;
  int64_t budget_bytes = int64_t{4} << 30;  ///< Of the result; a larger one throws Error.
  /// Sample i is row order[i]; empty: row i.
  std::span<const int64_t> order = {};
};

/// Throws Error unless x is F32 (rows,features) and all finite; names row and column, from 0.
void check_features(const Tensor& x);

/// Whether products in f32 would cost a kernel more than 1e-5: slope max||x||^2 2^-24 > 1e-5, where
/// slope is the kernel's largest derivative by a product or distance (gamma for RBF). Unscaled
/// features of wildly different ranges need f64.
bool needs_f64(double slope, double max_squared_norm);

/// Squared distances F32 (n,n) as multiples of a power of two: features of 2^-80 or 2^66 have
/// squares that f32 does not hold. D = unit * values.
struct SquaredDistances {
  Tensor values;
  double unit = 1;
};

/// All squared Euclidean distances between rows, x (n,d) -> (n,n), symmetric, 0 on the diagonal.
/// ||x - y||^2 = ||x||^2 + ||y||^2 - 2 x.y by matrix products, each pair of rows once, in f32 or
/// f64 after needs_f64, norms in f64, clamped at 0. Throws Error over budget or if x is not F32
/// (n,d).
SquaredDistances squared_distances(const Tensor& x, const DistanceOptions& options = {});

}  // namespace limbic::svm
