#pragma once
#include "limbic/nn/graph/graph.h"

namespace limbic {

/// dst = src * sigmoid(src) (Ramachandran et al. 2017, arXiv:1710.05941). Any shape -> the same.
/// Backward, with s = sigmoid(src): diff_src = diff_dst * s * (1 + src * (1 - s)).
class Swish : public Op {
 public:
  const char* type() const override { return "swish"; }
  Shape infer(std::span<const Shape> src) const override { return src[0]; }
  std::unique_ptr<Kernel> compile(KernelBuilder& builder) const override;
};

Value swish(Value src);

}  // namespace limbic
