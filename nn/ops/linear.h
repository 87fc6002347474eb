#pragma once
#include "limbic/nn/ops/conv2d.h"

namespace limbic {

struct LinearOptions {
  int64_t out_features = 0;
  bool bias = true;
  WeightInit init = WeightInit::torch_default;
  bool zero_bias = false;
};

/// dst(n,o) = bias(o) + sum_i weight(o,i) src(n,i); weight (out_features, in_features).
/// (N,in_features) -> (N,out_features).
/// Plain twin: reference/linear.h.
class Linear : public Op {
 public:
  Linear(int64_t in_features, const LinearOptions& options)
      : in_features_(in_features), options_(options) {
    require(in_features > 0 && options.out_features > 0,
            "linear: in_features and out_features must be positive, got ", in_features, " and ",
            options.out_features);
  }
  const char* type() const override { return "linear"; }
  Shape infer(std::span<const Shape> src) const override;
  std::vector<ParameterSpec> parameters() const override;
  std::unique_ptr<Kernel> compile(KernelBuilder& builder) const override;
  int64_t multiply_adds(std::span<const Shape> src) const override {
    return src[0][0] * in_features_ * options_.out_features;
  }
  const LinearOptions& options() const { return options_; }
  int64_t in_features() const { return in_features_; }

 private:
  int64_t in_features_;
  LinearOptions options_;
};

Value linear(const Scope& scope, Value src, const LinearOptions& options);

}  // namespace limbic
