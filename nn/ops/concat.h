#pragma once
#include "limbic/nn/graph/graph.h"

namespace limbic {

/// Joins inputs along channels: (N,C1,H,W), (N,C2,H,W), ... -> (N,C1+C2+...,H,W).
/// Plain twin: reference/concat.h.
class Concat : public Op {
 public:
  const char* type() const override { return "concat"; }
  Shape infer(std::span<const Shape> src) const override;
  std::unique_ptr<Kernel> compile(KernelBuilder& builder) const override;
  Sign sign() const override { return Sign::of_src; }
  bool computes(DType src, DType dst) const override { return is_wide(src) && dst == src; }
};

Value concat(const std::vector<Value>& values);

}  // namespace limbic
