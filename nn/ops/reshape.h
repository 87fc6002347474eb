#pragma once
#include "limbic/nn/ops/conv2d.h"

namespace limbic {

/// (N,C,H,W) -> (N, C*H*W), features in PyTorch's order (channel, then row, then column).
/// Plain twin: reference/reshape.h.
class Flatten : public Op {
 public:
  const char* type() const override { return "flatten"; }
  Shape infer(std::span<const Shape> src) const override;
  std::unique_ptr<Kernel> compile(KernelBuilder& builder) const override;
  bool computes(DType src, DType dst) const override { return is_wide(src) && dst == DType::f32; }
};

/// Throws Error unless the graph fixes H and W (through adaptive pooling).
Value flatten(Value src);

/// Every stride-th pixel and zeros around the channels, the option-A shortcut of the CIFAR ResNets
/// (He et al. 2015, section 4.2): dst(n, before + c, y, x) = src(n, c, y*stride.h, x*stride.w).
/// (N,C,H,W) -> (N, before+C+after, ceil(H/stride.h), ceil(W/stride.w)).
/// Plain twin: reference/reshape.h.
struct ShortcutOptions {
  Size2 stride = 1;
  int64_t channels_before = 0, channels_after = 0;
};
class StridedSlicePad : public Op {
 public:
  explicit StridedSlicePad(const ShortcutOptions& options) : options_(options) {
    require(options.stride.h >= 1 && options.stride.w >= 1,
            "slice_pad: stride must be positive, got ", options.stride.h, "x", options.stride.w);
    const auto fits = [](int64_t channels) { return channels >= 0 && channels <= INT32_MAX; };
    require(fits(options.channels_before) && fits(options.channels_after),
            "slice_pad: channels must be from 0 to 2^31 - 1, got ", options.channels_before,
            " and ", options.channels_after);
  }
  const char* type() const override { return "slice_pad"; }
  Shape infer(std::span<const Shape> src) const override;
  std::unique_ptr<Kernel> compile(KernelBuilder& builder) const override;
  Sign sign() const override { return Sign::of_src; }
  bool computes(DType src, DType dst) const override { return is_wide(src) && dst == src; }
  const ShortcutOptions& options() const { return options_; }

 private:
  ShortcutOptions options_;
};

Value strided_slice(Value src, Size2 stride);
Value pad_channels(Value src, int64_t before, int64_t after);
Value slice_pad(Value src, const ShortcutOptions& options);

}  // namespace limbic
