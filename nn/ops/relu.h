#pragma once
#include <limits>

#include "limbic/nn/graph/graph.h"

namespace limbic {

/// dst = min(max(src, 0), cap); the gradient passes where 0 < dst < cap. relu has no cap, relu6 has
/// 6. NaN stays NaN. Any shape -> the same.
/// Plain twin: reference/activation.h.
class Relu : public Op {
 public:
  explicit Relu(float cap) : cap_(cap) {}
  const char* type() const override { return cap_ == 6.0f ? "relu6" : "relu"; }
  Shape infer(std::span<const Shape> src) const override { return src[0]; }
  std::unique_ptr<Kernel> compile(KernelBuilder& builder) const override;
  bool computes(DType src, DType dst) const override { return is_wide(src) && dst == src; }
  float cap() const { return cap_; }

 private:
  float cap_;
};

Value relu(Value src);
Value relu6(Value src);

}  // namespace limbic
