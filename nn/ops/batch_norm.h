#pragma once
#include "nn/graph.h"

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
class BatchNorm : public Op {
 public:
  BatchNorm(int64_t channels, const BatchNormOptions& options)
      : channels_(channels), options_(options) {}
  const char* type() const override { return "batch_norm"; }
  Shape infer(std::span<const Shape> src) const override;
  std::vector<ParameterSpec> parameters() const override;
  std::unique_ptr<Kernel> compile(KernelBuilder& builder) const override;

  const BatchNormOptions& options() const { return options_; }
  int64_t channels() const { return channels_; }

  /// What a plan pass has fused: dst = relu(norm(src 0) + src 1), either part optional.
  struct Fused {
    bool add = false, relu = false;
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

Value batch_norm(const Scope& scope, Value src, const BatchNormOptions& options = {});

}  // namespace limbic
