#pragma once
#include "limbic/nn/graph/graph.h"

namespace limbic {

/// Height and width; from one number, both.
struct Size2 {
  int64_t h = 1, w = 1;
  constexpr Size2(int64_t both) : h(both), w(both) {}
  constexpr Size2(int64_t height, int64_t width) : h(height), w(width) {}
};

/// Pixels added on each side; from one number, on all.
struct Padding {
  int64_t top = 0, left = 0, bottom = 0, right = 0;
  constexpr Padding(int64_t all) : top(all), left(all), bottom(all), right(all) {}
  constexpr Padding(int64_t t, int64_t l, int64_t b, int64_t r)
      : top(t), left(l), bottom(b), right(r) {}
};

/// Throws Error, naming `op`, unless kernel and stride are positive, no padding is negative, and
/// all are below 2^31.
void require_window(const char* op, Size2 kernel, Size2 stride, const Padding& padding);

/// The initialisers that torchvision's models use (He et al. 2015, arXiv:1502.01852).
enum class WeightInit {
  torch_default,           ///< U(-1/sqrt(fan_in), ...), also for the bias
  kaiming_normal_fan_in,   ///< N(0, 2/fan_in)
  kaiming_normal_fan_out,  ///< N(0, 2/fan_out)
  kaiming_uniform_fan_in,  ///< U(-sqrt(6/fan_in), ...)
  normal_001,              ///< N(0, 0.01^2)
};
Initialiser initialiser(WeightInit init, int64_t fan_in, int64_t fan_out);

struct Conv2dOptions {
  int64_t out_channels = 0;
  Size2 kernel_size = 1;
  Size2 stride = 1;
  Padding padding = 0;
  /// Keras' "same", in place of `padding`: OH = ceil(H / sh), for which what is lacking is added on
  /// both sides, the odd row or column below or on the right. Known once the size of src is.
  bool same_padding = false;
  Size2 dilation = 1;
  int64_t groups = 1;
  bool bias = true;
  WeightInit init = WeightInit::torch_default;
  bool zero_bias = false;  ///< Start the bias at 0 instead of torch's uniform.
};

/// 2-D convolution (cross-correlation), weight OIHW `(out_channels, in_channels/groups, kh, kw)`:
///   dst(n,o,y,x) = bias(o) + sum_{i,u,v} weight(o,i,u,v) src(n,i, y*sh - top + u*dh, x*sw - left +
///   v*dw)
/// (N,C,H,W) -> (N,out_channels,OH,OW), OH = floor((H + top + bottom - dh (kh-1) - 1) / sh) + 1.
/// Plain twin: reference/conv2d.h.
class Conv2d : public Op {
 public:
  Conv2d(int64_t in_channels, const Conv2dOptions& options);
  const char* type() const override { return "conv2d"; }
  Shape infer(std::span<const Shape> src) const override;
  std::vector<ParameterSpec> parameters() const override;
  std::unique_ptr<Kernel> compile(KernelBuilder& builder) const override;
  bool computes(DType src, DType dst) const override {
    return is_wide(src) ? dst == src : src == DType::u8 || src == DType::i8;
  }
  int64_t multiply_adds(std::span<const Shape> src) const override;

  const Conv2dOptions& options() const { return options_; }
  int64_t in_channels() const { return in_channels_; }
  Shape weight_shape() const;
  /// What is added to a src of this shape.
  Padding padding(const Shape& src) const;

  std::shared_ptr<const Op> absorb(const Op& next) const override;
  Sign sign() const override {
    return fused_.then.is_never_negative() ? Sign::never_negative : Sign::any;
  }
  /// What plan passes have fused into this convolution (inference only).
  struct Fused {
    bool norm = false;  ///< A batch norm's four tensors follow the convolution's own parameters.
    double epsilon = 0;
    bool sum = false;  ///< src 1 is added before the activation, in its own memory.
    Activation then;   ///< ReLU: oneDNN's clip, which others would need, loses NaN.
  };
  Conv2d with(const Fused& fused) const {
    Conv2d copy = *this;
    copy.fused_ = fused;
    return copy;
  }
  const Fused& fused() const { return fused_; }

 private:
  int64_t in_channels_;
  Conv2dOptions options_;
  Fused fused_;
};

Value conv2d(const Scope& scope, Value src, const Conv2dOptions& options);

}  // namespace limbic
