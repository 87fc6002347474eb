#pragma once
#include "limbic/nn/graph/kernel.h"
#include "limbic/nn/ops/conv2d.h"
#include "limbic/nn/ops/elementwise.h"

namespace limbic {

/// How a convolution is computed: oneDNN's direct primitives or our Winograd (nn/cpu/winograd),
/// chosen for forward and for the data gradient each, by timing or by a fixed rule. Null where it
/// would have to be timed and builder.may_time is false.
std::unique_ptr<Kernel> compile_conv2d(const Conv2d& op, KernelBuilder& builder);
/// Inference with a src of 8 bits (conv2d_int8.cpp).
std::unique_ptr<Kernel> compile_int8_conv2d(const Conv2d& op, KernelBuilder& builder);

/// Of oneDNN's weights: (O,I,H,W), or (G,O/G,I,H,W) where there are groups.
Shape grouped_weight_shape(const Conv2d& op);

/// A fused ReLU leaves a trace of negative values (onednn/compat.cpp says why), which is lost
/// beside a bias: it is taken out of dst where somebody would see it.
class ReluTrace {
 public:
  ReluTrace(const Conv2d& op, const KernelBuilder& b)
      : is_seen_(op.fused().then.is_relu() && b.seen && is_wide(b.dtype)),
        elements_(count(b.dst_shape)),
        dtype_(b.dtype) {}
  void drop(const Buffer& dst) const {
    if (is_seen_) drop_negative(dst, elements_, dtype_);
  }

 private:
  bool is_seen_;
  int64_t elements_;
  DType dtype_;
};

/// Weight and bias (empty without one) from an op's canonical tensors. A fused batch norm is folded
/// in, in f64: scale = gamma / sqrt(var + epsilon), weight' = weight * scale,
/// bias' = (bias - mean) * scale + beta. A weight that is folded lies in `memory`, which grows as
/// needed.
struct FoldedWeights {
  Tensor weight, bias;
};
FoldedWeights folded_weights(const Conv2d& op, std::span<const Tensor> canonical,
                             std::vector<float>& memory);

}  // namespace limbic
