#pragma once
#include "limbic/nn/graph/graph.h"

namespace limbic {

/// In training each element is set to 0 with the given probability and the others are divided by
/// 1 - probability (inverted dropout); in inference it is the identity. Which elements: Philox
/// keyed by (plan seed and node, step, element), so the same on any thread. Any shape -> the same.
/// Plain twin: reference/dropout.h.
class Dropout : public Op {
 public:
  explicit Dropout(double probability) : probability_(probability) {
    require(probability >= 0 && probability < 1, "dropout: probability must be in [0,1), got ",
            probability);
  }
  const char* type() const override { return "dropout"; }
  Shape infer(std::span<const Shape> src) const override { return src[0]; }
  std::unique_ptr<Kernel> compile(KernelBuilder& builder) const override;
  Sign sign() const override { return Sign::of_src; }
  bool computes(DType src, DType dst) const override { return is_wide(src) && dst == src; }
  double probability() const { return probability_; }

 private:
  double probability_;
};

Value dropout(Value src, double probability);

}  // namespace limbic
