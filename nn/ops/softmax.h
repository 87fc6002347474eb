#pragma once
#include "limbic/nn/graph/graph.h"

namespace limbic {

/// dst(n,c) = exp(src(n,c) - max_n) / sum_k exp(src(n,k) - max_n). (N,C) -> (N,C).
/// Backward: dx = y (dy - sum_k dy_k y_k).
/// Plain twin: reference/softmax.h.
class Softmax : public Op {
 public:
  const char* type() const override { return "softmax"; }
  Shape infer(std::span<const Shape> src) const override;
  std::unique_ptr<Kernel> compile(KernelBuilder& builder) const override;
};

Value softmax(Value src);

/// The same on rows in plain memory: (rows, columns) -> (rows, columns), in place allowed.
void softmax_rows(std::span<const float> logits, int64_t columns, std::span<float> probabilities);

}  // namespace limbic
