#pragma once
#include <limits>
#include <string>

namespace limbic {

/// A function that is applied to each element, as a value: what a layer can do where it writes.
struct Activation {
  enum class Kind {
    none,
    clamp,       ///< min(max(x, low), high); ReLU is 0 to infinity, ReLU6 0 to 6. NaN stays NaN.
    silu,        ///< x / (1 + exp(-x)); Elfwing et al. 2017, arXiv:1702.03118
    hard_swish,  ///< x min(max(x + 3, 0), 6) / 6; Howard et al. 2019, arXiv:1905.02244
    gelu,        ///< x (1 + erf(x / sqrt(2))) / 2; Hendrycks and Gimpel 2016, arXiv:1606.08415
    sigmoid,     ///< 1 / (1 + exp(-x))
    tanh,
    leaky_relu,  ///< x, times `slope` where x < 0; Maas et al. 2013
  };
  Kind kind = Kind::none;
  float low = 0, high = std::numeric_limits<float>::infinity();  ///< Of a clamp.
  float slope = 0;                                               ///< Of a leaky ReLU.

  static Activation clamp(float low, float high) { return {Kind::clamp, low, high}; }
  static Activation relu() { return {Kind::clamp}; }

  explicit operator bool() const { return kind != Kind::none; }
  bool is_clamp() const { return kind == Kind::clamp; }
  bool is_relu() const { return *this == relu(); }
  /// Whether what it gives is never below zero.
  bool is_never_negative() const { return kind == Kind::sigmoid || (is_clamp() && low >= 0); }
  bool operator==(const Activation&) const = default;
  /// The field's name: "relu", "relu6", "clamp", "silu".
  const char* name() const {
    switch (kind) {
      case Kind::none:
        return "none";
      case Kind::clamp:
        return is_relu() ? "relu" : *this == clamp(0, 6) ? "relu6" : "clamp";
      case Kind::silu:
        return "silu";
      case Kind::hard_swish:
        return "hard_swish";
      case Kind::gelu:
        return "gelu";
      case Kind::sigmoid:
        return "sigmoid";
      case Kind::tanh:
        return "tanh";
      case Kind::leaky_relu:
        return "leaky_relu";
    }
    return "";
  }
};

}  // namespace limbic
