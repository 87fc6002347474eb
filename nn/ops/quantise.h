#pragma once
#include "limbic/nn/graph/graph.h"

namespace limbic {

/// Stores an activation in 8 bits, so that a convolution can compute in them: dst = src / scale,
/// rounded (halves away from 0) and held within 0 and 255 (u8) or -127 and 127 (i8); which of them,
/// and the scale, the plan says. (N,C,H,W) -> the same. A plan pass puts it where it is needed; 8
/// bits hold no NaN, which is an Error.
class Quantise : public Op {
 public:
  const char* type() const override { return "quantise"; }
  Shape infer(std::span<const Shape> src) const override { return src[0]; }
  std::unique_ptr<Kernel> compile(KernelBuilder& builder) const override;
  Sign sign() const override { return Sign::of_src; }
  bool computes(DType src, DType dst) const override {
    return is_wide(src) && (dst == DType::u8 || dst == DType::i8);
  }
  bool differentiable() const override { return false; }
};

}  // namespace limbic
