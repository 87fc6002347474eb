#pragma once
#include "limbic/nn/graph/activation.h"
#include "limbic/reference/activation.h"

namespace limbic::twins {

/// The plain twins of an activation that is a value.
inline reference::Array activate(const reference::Array& x, const Activation& a) {
  using Kind = Activation::Kind;
  if (a.kind == Kind::silu) return reference::silu(x);
  if (a.kind == Kind::hard_swish) return reference::hard_swish(x);
  if (a.kind == Kind::gelu) return reference::gelu(x);
  if (a.kind == Kind::sigmoid) return reference::sigmoid(x);
  if (a.kind == Kind::tanh) return reference::tanh(x);
  if (a.kind == Kind::leaky_relu) return reference::leaky_relu(x, a.slope);
  return reference::clamp(x, a.low, a.high);
}

inline reference::Array activate_backward(const reference::Array& x, const Activation& a,
                                          const reference::Array& dy) {
  using Kind = Activation::Kind;
  if (a.kind == Kind::silu) return reference::silu_backward(x, dy);
  if (a.kind == Kind::hard_swish) return reference::hard_swish_backward(x, dy);
  if (a.kind == Kind::gelu) return reference::gelu_backward(x, dy);
  if (a.kind == Kind::sigmoid) return reference::sigmoid_backward(x, dy);
  if (a.kind == Kind::tanh) return reference::tanh_backward(x, dy);
  if (a.kind == Kind::leaky_relu) return reference::leaky_relu_backward(x, a.slope, dy);
  return reference::clamp_backward(x, a.low, a.high, dy);
}

/// Where its derivative jumps.
inline std::vector<double> kinks_of(const Activation& a) {
  if (a.is_clamp()) return {a.low, a.high};
  if (a.kind == Activation::Kind::hard_swish) return {-3, 3};
  if (a.kind == Activation::Kind::leaky_relu) return {0};
  return {};
}

}  // namespace limbic::twins
