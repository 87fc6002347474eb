#pragma once
#include "array.h"

namespace limbic::reference {

struct BatchNormOptions {
  double epsilon = 1e-5;
  double momentum = 0.1;  ///< Weight of the new batch in the running statistics.
};

/// One value a channel: (C).
struct Moments {
  Array mean, var;
};

/// Mean and biased variance (divisor n) of each channel over N, H, W. (N,C,H,W) or (N,C) -> (C).
Moments batch_moments(const Array& src);

/// Batch normalisation in training (Ioffe and Szegedy 2015, arXiv:1502.03167), with the batch's own
/// moments:
///   dst = (src - mean) / sqrt(var + epsilon) * weight + bias
/// The running ones move: running = (1 - momentum) running + momentum batch, where the variance is
/// the unbiased one, n/(n-1) of the biased (n/1 for a single element). (N,C,H,W) or (N,C) -> the
/// same; weight and bias (C). Throws std::invalid_argument where a shape does not fit.
Array batch_norm(const Array& src, const Array& weight, const Array& bias, Moments& running,
                 const BatchNormOptions& o);

/// The mean and the variance depend on src as well. Over the n elements of a channel, with x^ the
/// normalised src:
///   bias = sum(dy), weight = sum(dy x^)
///   src = weight / sqrt(var + epsilon) * (dy - sum(dy)/n - x^ sum(dy x^)/n)
Gradients batch_norm_backward(const Array& src, const Array& weight, const BatchNormOptions& o,
                              const Array& dy);

/// The same with moments that are constants: the running ones, in inference or frozen.
Array frozen_batch_norm(const Array& src, const Array& weight, const Array& bias,
                        const Moments& moments, const BatchNormOptions& o);

/// bias = sum(dy), weight = sum(dy x^), src = weight / sqrt(var + epsilon) * dy.
Gradients frozen_batch_norm_backward(const Array& src, const Array& weight, const Moments& moments,
                                     const BatchNormOptions& o, const Array& dy);

}  // namespace limbic::reference
