#pragma once
#include "limbic/nn/ops/conv2d.h"

namespace limbic {

struct Pool2dOptions {
  Size2 kernel_size = 2;
  Size2 stride = 2;
  Padding padding = 0;
  bool ceil_mode = false;         ///< Output sizes round up; a window may hang over the end.
  bool count_include_pad = true;  ///< Average: padding counts in the divisor, as in PyTorch.
  bool zero_padding = false;      ///< Maximum: padding counts as pixels of 0, as Keras pads.
};

/// Max or average pooling, PyTorch's semantics:
/// (N,C,H,W) -> (N,C,OH,OW), OH = floor or ceil((H + top + bottom - kh) / sh) + 1; in ceil mode the
/// last window is dropped if it would start beyond the padded input. The maximum ignores padding,
/// unless zero_padding, and is NaN where the window holds one; its gradient goes to the first of
/// equal values, to the NaN, or nowhere where a padding is larger. Plain twin: reference/pool2d.h.
class Pool2d : public Op {
 public:
  enum class Kind { max, average };
  Pool2d(Kind kind, const Pool2dOptions& options) : kind_(kind), options_(options) {
    require_window(type(), options.kernel_size, options.stride, options.padding);
  }
  const char* type() const override { return kind_ == Kind::max ? "max_pool2d" : "avg_pool2d"; }
  Shape infer(std::span<const Shape> src) const override;
  std::unique_ptr<Kernel> compile(KernelBuilder& builder) const override;
  Sign sign() const override { return Sign::of_src; }
  bool computes(DType src, DType dst) const override {
    return (is_wide(src) || src == DType::u8) &&
           (is_wide(dst) || (dst == DType::u8 && kind_ == Kind::max));
  }
  Kind kind() const { return kind_; }
  const Pool2dOptions& options() const { return options_; }

 private:
  Kind kind_;
  Pool2dOptions options_;
};

Value max_pool2d(Value src, const Pool2dOptions& options);
Value avg_pool2d(Value src, const Pool2dOptions& options);

/// Average over a grid of output.h x output.w windows that cover the input, whatever its size:
/// window i spans [floor(i H / OH), ceil((i+1) H / OH)). (N,C,H,W) -> (N,C,output.h,output.w).
/// Plain twin: reference/pool2d.h.
class AdaptiveAvgPool2d : public Op {
 public:
  explicit AdaptiveAvgPool2d(Size2 output) : output_(output) {
    require(output.h >= 1 && output.w >= 1, "adaptive_avg_pool2d: output must be positive, got ",
            output.h, "x", output.w);
  }
  const char* type() const override { return "adaptive_avg_pool2d"; }
  Shape infer(std::span<const Shape> src) const override;
  std::unique_ptr<Kernel> compile(KernelBuilder& builder) const override;
  Sign sign() const override { return Sign::of_src; }
  bool computes(DType src, DType dst) const override {
    return (is_wide(src) || src == DType::u8) && is_wide(dst);
  }
  Size2 output() const { return output_; }

 private:
  Size2 output_;
};

Value adaptive_avg_pool2d(Value src, Size2 output);

/// Mean over H and W: (N,C,H,W) -> (N,C). The paper's GAP.
/// Plain twin: reference/pool2d.h.
class GlobalAvgPool : public Op {
 public:
  const char* type() const override { return "global_avg_pool"; }
  Shape infer(std::span<const Shape> src) const override;
  std::unique_ptr<Kernel> compile(KernelBuilder& builder) const override;
  bool computes(DType src, DType dst) const override {
    return (is_wide(src) || src == DType::u8) && is_wide(dst);
  }
};

Value global_avg_pool(Value src);

}  // namespace limbic
