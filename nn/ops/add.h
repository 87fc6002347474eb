#pragma once
#include "limbic/nn/graph/graph.h"

namespace limbic {

/// dst = src 0 + src 1, equal shapes: the sum of a residual block.
/// Plain twin: reference/add.h.
class Add : public Op {
 public:
  const char* type() const override { return "add"; }
  Shape infer(std::span<const Shape> src) const override;
  std::unique_ptr<Kernel> compile(KernelBuilder& builder) const override;
  Sign sign() const override { return Sign::of_src; }
  bool computes(DType src, DType dst) const override { return is_wide(src) && dst == src; }
};

Value add(Value a, Value b);

}  // namespace limbic
