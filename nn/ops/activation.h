#pragma once
#include "limbic/nn/graph/graph.h"

namespace limbic {

/// dst = activation(src), element by element. A clamp's gradient passes where low < dst < high: at
/// 0 ReLU's is 0, and a leaky ReLU's its slope. NaN stays NaN. Any shape -> the same. Plain twin:
/// reference/activation.h.
class Activate : public Op {
 public:
  /// Throws Error on a clamp whose bounds are not in order and on a slope that is not finite.
  explicit Activate(const Activation& activation);
  const char* type() const override { return activation_.name(); }
  Shape infer(std::span<const Shape> src) const override { return src[0]; }
  std::unique_ptr<Kernel> compile(KernelBuilder& builder) const override;
  bool computes(DType src, DType dst) const override { return is_wide(src) && dst == src; }
  Activation as_activation() const override { return activation_; }
  Sign sign() const override {
    return activation_.is_never_negative() ? Sign::never_negative : Sign::any;
  }

 private:
  Activation activation_;
};

Value activate(Value src, const Activation& activation);
inline Value relu(Value src) { return activate(src, Activation::relu()); }
inline Value relu6(Value src) { return activate(src, Activation::clamp(0, 6)); }
inline Value silu(Value src) { return activate(src, {Activation::Kind::silu}); }
inline Value hard_swish(Value src) { return activate(src, {Activation::Kind::hard_swish}); }
inline Value gelu(Value src) { return activate(src, {Activation::Kind::gelu}); }
inline Value sigmoid(Value src) { return activate(src, {Activation::Kind::sigmoid}); }
inline Value tanh(Value src) { return activate(src, {Activation::Kind::tanh}); }
inline Value leaky_relu(Value src, float slope = 0.01f) {
  return activate(src, {.kind = Activation::Kind::leaky_relu, .slope = slope});
}

}  // namespace limbic
