// Inference in int8: src u8 or s8 with one scale, weights s8 with a scale for each output channel,
//   dst = round(relu(scale_src scale_w[o] sum(src w) + bias[o] + scale_sum sum_src) / scale_dst)
// for an 8-bit dst, and without the division for a wide one.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <utility>

#include "limbic/core/finite.h"
#include "limbic/nn/cpu/onednn/compat.h"
#include "limbic/nn/ops/conv2d_kernel.h"

namespace limbic {
namespace {

// The scale of one output channel's weights w (C, H, W). Without VNNI the products of two channels
// beside each other are added in 16 bits: 255 (|a| + |b|) has to fit where both have one sign. Of a
// signed src oneDNN halves the weights itself.
float weight_scale(std::span<const float> w, int64_t channels, bool pairs_have_16_bits) {
  float largest = 1e-20f, before = 0;
  for (const float x : w) largest = std::max(largest, std::abs(x));
  if (!pairs_have_16_bits) return largest / 127;
  const size_t pixels = w.size() / static_cast<size_t>(channels);
  for (size_t pixel = 0; pixel < pixels; ++pixel)  // in the order of channels-last memory
    for (size_t k = pixel; k < w.size(); k += pixels)
      largest = std::max(largest, std::abs(std::exchange(before, w[k]) + w[k]));
  return largest / 127;
}

class Int8Conv2dKernel : public Kernel {
 public:
  Int8Conv2dKernel(const Conv2d& op, KernelBuilder& b)
      : name_(b.name),
        is_signed_(b.src_dtypes[0] == DType::i8),
        op_(op),
        trace_(op, b),
        scale_src_(b.src_scales[0]),
        scale_dst_(b.scale) {
    const auto& o = op.options();
    weight_shape_ = grouped_weight_shape(op);
    onednn::ConvolutionShape shape = {
        .src = onednn::channels_last(b.src_shapes[0], b.src_dtypes[0]),
        .weights = onednn::any_layout(weight_shape_, DType::i8),
        .dst = onednn::channels_last(b.dst_shape, b.dtype),
        .bias = onednn::canonical({o.out_channels}),
        .strides = {o.stride.h, o.stride.w},
        .dilates = {o.dilation.h - 1, o.dilation.w - 1},
        .padding_begin = {o.padding.top, o.padding.left},
        .padding_end = {o.padding.bottom, o.padding.right}};
    if (b.like_packed) shape.weights = (*b.like_packed)[0];
    onednn::PostOps post_ops{.multiply_channels = o.out_channels,
                             .sum = op.fused().sum,
                             .relu = op.fused().then.is_relu()};
    if (op.fused().sum) {
      post_ops.sum_scale = b.src_scales[1] / scale_dst_;
      post_ops.sum_dtype = b.src_dtypes[1];
    }
    const auto desc = onednn::convolution_forward(shape, false, post_ops);
    forward_ = onednn::make(desc);
    implementation_ = std::string("int8 ") + desc.impl_info_str();
    scratch_ = b.temporary(desc.scratchpad_desc(), false);
    b.pack_as({desc.weights_desc(), shape.bias, onednn::canonical({1, o.out_channels, 1, 1})});
  }

  void forward(const Buffers& b) const override {
    onednn::execute(forward_,
                    {{DNNL_ARG_SRC, b.src[0].dnnl()},
                     {DNNL_ARG_WEIGHTS, b.packed[0].dnnl()},
                     {DNNL_ARG_BIAS, b.packed[1].dnnl()},
                     {DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, b.packed[2].dnnl()},
                     {DNNL_ARG_DST, b.dst.dnnl()},
                     {DNNL_ARG_SCRATCHPAD, b.at(scratch_).dnnl()}});
    trace_.drop(b.dst);
  }
  void backward(const Buffers&) const override { fail("int8 is for inference alone"); }

  // oneDNN adds the bias to the integer sums before they are multiplied.
  void pack(std::span<const Tensor> canonical, std::span<const Buffer> packed) const override {
    std::vector<float> memory;
    const auto [weight, bias] = folded_weights(op_, canonical, memory);
    const int64_t out = op_.options().out_channels, per_out = weight.size() / out;
    Tensor quantised(weight.shape(), DType::i8);
    const bool pairs_have_16_bits = !onednn::has_int8_instructions() && !is_signed_;
    for (int64_t o = 0; o < out; ++o) {
      const std::span<const float> w(weight.data() + o * per_out, static_cast<size_t>(per_out));
      require(all_finite(w), name_, ": a weight is not finite, which 8 bits cannot hold");
      const float scale = weight_scale(w, weight.dim(1), pairs_have_16_bits);
      for (size_t i = 0; i < w.size(); ++i)
        quantised.data<int8_t>()[o * per_out + static_cast<int64_t>(i)] =
            static_cast<int8_t>(std::lround(w[i] / scale));
      const float multiplier = scale_src_ * scale / scale_dst_;
      packed[2].f32()[o] = multiplier;
      packed[1].f32()[o] = (bias.empty() ? 0.0f : bias.data()[o]) / scale_dst_ / multiplier;
    }
    // What compensates for a signed src lies behind the weights, and the reorder adds to it.
    std::memset(packed[0].data, 0, packed[0].memory.get_desc().get_size());
    onednn::reorder_once(onednn::canonical(weight_shape_, DType::i8), quantised.raw(),
                         packed[0].memory.get_desc(), packed[0].data);
  }

  int accumulates_into() const override { return op_.fused().sum ? 1 : -1; }
  std::string implementation() const override { return implementation_; }

 private:
  std::string name_;
  bool is_signed_;
  Conv2d op_;
  ReluTrace trace_;
  Shape weight_shape_;  // with the groups as a dimension of their own
  float scale_src_, scale_dst_;
  dnnl::primitive forward_;
  int scratch_ = 0;
  std::string implementation_;
};

}  // namespace

std::unique_ptr<Kernel> compile_int8_conv2d(const Conv2d& op, KernelBuilder& b) {
  return std::make_unique<Int8Conv2dKernel>(op, b);
}

}  // namespace limbic
