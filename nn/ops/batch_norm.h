#pragma once
#include <cmath>

#include "limbic/nn/graph/graph.h"

namespace limbic {

struct BatchNormOptions {
  double epsilon = 1e-5;
  double momentum = 0.1;  ///< Weight of the new batch in the running statistics.
};

/// Batch normalisation over N, H, W for each channel (Ioffe and Szegedy 2015, arXiv:1502.03167):
///   dst = (src - mean) / sqrt(var + epsilon) * weight + bias
/// mean and var are the batch's (var biased, 1/n), or the running ones in inference and where the
/// parameters are frozen. The running variance takes the unbiased 1/(n-1), as PyTorch's does; its
/// divisor is 1 for a single element. (N,C,H,W) or (N,C) -> the same.
///
/// Backward with batch statistics, over the n elements of a channel, with x^ the normalised src:
///   diff_bias = sum(dy), diff_weight = sum(dy x^)
///   diff_src = weight / sqrt(var + epsilon) * (dy - diff_bias/n - x^ diff_weight/n)
/// Plain twin: reference/batch_norm.h.
class BatchNorm : public Op {
 public:
  BatchNorm(int64_t channels, const BatchNormOptions& options)
      : channels_(channels), options_(options) {
    require(options.epsilon >= 0 && options.epsilon < HUGE_VAL,
            "batch_norm: epsilon must be finite and not negative, got ", options.epsilon);
    require(options.momentum >= 0 && options.momentum <= 1,
            "batch_norm: momentum must be in [0,1], got ", options.momentum);
  }
  const char* type() const override { return "batch_norm"; }
  Shape infer(std::span<const Shape> src) const override;
  std::vector<ParameterSpec> parameters() const override;
  std::unique_ptr<Kernel> compile(KernelBuilder& builder) const override;
  bool computes(DType src, DType dst) const override {
    return is_wide(src) && (is_wide(dst) || (dst == DType::u8 && !fused_.add));
  }

  const BatchNormOptions& options() const { return options_; }
  int64_t channels() const { return channels_; }

  std::shared_ptr<const Op> absorb(const Op& next) const override;
  Sign sign() const override {
    return fused_.then.is_never_negative() ? Sign::never_negative : Sign::any;
  }
  /// What plan passes have fused: dst = then(norm(concat(pieces)) + add), each part optional.
  struct Fused {
    bool add = false;             ///< Of the last src.
    Activation then;              ///< A clamp from 0.
    int pieces = 1;               ///< The first srcs: their concatenation is normalised.
    bool shared_moments = false;  ///< A BatchMoments of each piece follows the pieces.
  };
  BatchNorm with(const Fused& fused) const {
    BatchNorm copy = *this;
    copy.fused_ = fused;
    return copy;
  }
  const Fused& fused() const { return fused_; }

 private:
  int64_t channels_;
  BatchNormOptions options_;
  Fused fused_;
};

/// Mean and biased variance of each channel over N, H, W, in f64: (N,C,H,W) -> (2,C) doubles. Plan
/// passes put it where several batch norms read one value; its gradient is in theirs.
/// Plain twin: reference/batch_norm.h.
class BatchMoments : public Op {
 public:
  const char* type() const override { return "batch_moments"; }
  /// Two f32 hold a double.
  Shape infer(std::span<const Shape> src) const override { return {2, 2 * src[0][1]}; }
  std::unique_ptr<Kernel> compile(KernelBuilder& builder) const override;
  bool computes(DType src, DType dst) const override { return is_wide(src) && dst == DType::f32; }
  bool differentiable() const override { return false; }
};

Value batch_norm(const Scope& scope, Value src, const BatchNormOptions& options = {});

}  // namespace limbic
