#pragma once
#include "limbic/nn/ops/conv2d.h"

namespace limbic {

struct UpsampleOptions {
  Size2 scale = 2;  ///< Output pixels for each of the input's, at least 1.
  enum class Mode { nearest, bilinear } mode = Mode::nearest;
};

/// Larger by whole numbers, as PyTorch's interpolate with scale_factor and align_corners off:
/// (N,C,H,W) -> (N,C,H*scale.h,W*scale.w). nearest: dst(y) = src(floor(y / scale)). bilinear:
/// dst(y) lies at (y + 0.5) / scale - 0.5 of src, not before its first pixel and not behind its
/// last. Plain twin: reference/upsample.h.
class Upsample : public Op {
 public:
  explicit Upsample(const UpsampleOptions& options);
  const char* type() const override { return "upsample"; }
  Shape infer(std::span<const Shape> src) const override;
  std::unique_ptr<Kernel> compile(KernelBuilder& builder) const override;
  Sign sign() const override { return Sign::of_src; }
  bool computes(DType src, DType dst) const override { return is_wide(src) && dst == src; }
  const UpsampleOptions& options() const { return options_; }

 private:
  UpsampleOptions options_;
};

Value upsample(Value src, const UpsampleOptions& options = {});

}  // namespace limbic
