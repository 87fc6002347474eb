#include "nn/ops/conv2d.h"

#include <cmath>

#include "nn/kernel.h"

namespace limbic {

Initialiser initialiser(WeightInit init, int64_t fan_in, int64_t fan_out) {
  using Kind = Initialiser::Kind;
  const auto in = static_cast<double>(fan_in), out = static_cast<double>(fan_out);
  switch (init) {
    case WeightInit::torch_default:
      return {Kind::uniform, 1 / std::sqrt(in)};
    case WeightInit::kaiming_normal_fan_in:
      return {Kind::normal, std::sqrt(2 / in)};
    case WeightInit::kaiming_normal_fan_out:
      return {Kind::normal, std::sqrt(2 / out)};
    case WeightInit::kaiming_uniform_fan_in:
      return {Kind::uniform, std::sqrt(6 / in)};
    case WeightInit::normal_001:
      return {Kind::normal, 0.01};
  }
  fail("unknown initialiser");
}

Conv2d::Conv2d(int64_t in_channels, const Conv2dOptions& options)
    : in_channels_(in_channels), options_(options) {
  const auto& o = options_;
  require(o.out_channels > 0 && o.groups > 0 && in_channels % o.groups == 0 &&
              o.out_channels % o.groups == 0,
          "conv2d: ", in_channels, " input and ", o.out_channels,
          " output channels do not divide into ", o.groups, " groups");
  require(o.kernel_size.h > 0 && o.kernel_size.w > 0 && o.stride.h > 0 && o.stride.w > 0 &&
              o.dilation.h > 0 && o.dilation.w > 0,
          "conv2d: kernel, stride and dilation must be positive");
}

Shape Conv2d::weight_shape() const {
  return {options_.out_channels, in_channels_ / options_.groups, options_.kernel_size.h,
          options_.kernel_size.w};
}

Shape Conv2d::infer(std::span<const Shape> src) const {
  const Shape& s = src[0];
  require(s.size() == 4 && s[1] == in_channels_, "expected src (N,", in_channels_, ",H,W), got ",
          to_string(s));
  const auto& [out_channels, kernel, stride, padding, dilation, groups, bias, init, zero] =
      options_;
  const int64_t free_h = s[2] + padding.top + padding.bottom - dilation.h * (kernel.h - 1) - 1;
  const int64_t free_w = s[3] + padding.left + padding.right - dilation.w * (kernel.w - 1) - 1;
  require(free_h >= 0 && free_w >= 0, "a ", kernel.h, "x", kernel.w,
          " kernel does not fit into src ", to_string(s));
  return {s[0], out_channels, free_h / stride.h + 1, free_w / stride.w + 1};
}

std::vector<ParameterSpec> Conv2d::parameters() const {
  const Shape shape = weight_shape();
  const int64_t fan_in = shape[1] * shape[2] * shape[3];
  const int64_t fan_out = shape[0] / options_.groups * shape[2] * shape[3];
  const int64_t out = options_.out_channels;
  std::vector<ParameterSpec> specs = {
      {.name = "weight", .shape = shape, .init = initialiser(options_.init, fan_in, fan_out)}};
  if (options_.bias) {
    const auto init = options_.zero_bias ? Initialiser{}
                                         : initialiser(WeightInit::torch_default, fan_in, fan_out);
    specs.push_back({.name = "bias", .shape = {out}, .init = init});
  }
  if (fused_.norm)
    for (const char* name : {"norm.weight", "norm.bias", "norm.running_mean", "norm.running_var"})
      specs.push_back({.name = name, .shape = {out}, .init = {}});
  return specs;
}

int64_t Conv2d::multiply_adds(std::span<const Shape> src) const {
  return count(infer(src)) * count(weight_shape()) / options_.out_channels;
}

namespace {

using onednn::Desc;

class Conv2dKernel : public Kernel {
 public:
  Conv2dKernel(const Conv2d& op, KernelBuilder& b) : op_(op), fused_(op.fused()) {
    const auto& o = op.options();
    has_bias_ = o.bias || fused_.norm;
    Shape weight = op.weight_shape();
    if (o.groups > 1) {
      weight.insert(weight.begin(), o.groups);
      weight[1] /= o.groups;
    }
    const DType dtype = b.src_dtypes[0];
    shape_ = {.src = onednn::channels_last(b.src_shapes[0], dtype),
              .weights = onednn::any_layout(weight, dtype),
              .dst = onednn::channels_last(b.dst_shape, b.dtype),
              .diff_weights = onednn::any_layout(weight),
              .bias = has_bias_ ? onednn::canonical({o.out_channels}) : Desc(),
              .strides = {o.stride.h, o.stride.w},
              .dilates = {o.dilation.h - 1, o.dilation.w - 1},
              .padding_begin = {o.padding.top, o.padding.left},
              .padding_end = {o.padding.bottom, o.padding.right}};
    const auto forward_desc =
        onednn::convolution_forward(shape_, b.gradients, {.sum = fused_.sum, .relu = fused_.relu});
    forward_ = onednn::make(forward_desc);
    implementation_ = forward_desc.impl_info_str();
    weights_ = master_ = forward_desc.weights_desc();
    canonical_weight_ = onednn::canonical(weight);
    forward_scratch_ = b.temporary(forward_desc.scratchpad_desc(), false);
    if (b.gradients && b.diff_parameters[0]) prepare_backward_weights(b, forward_desc, dtype);
    if (b.gradients && b.diff_src[0]) prepare_backward_data(b, forward_desc);
    std::vector<Desc> packed = {master_};
    if (has_bias_) packed.push_back(shape_.bias);
    b.pack_as(std::move(packed));
    if (master_ == weights_) return;
    forward_reorder_ = onednn::make_reorder(master_, weights_);
    forward_weights_ = b.temporary(weights_, false);
  }

  void forward(const Buffers& b) const override {
    const Buffer& weights = reordered(b, forward_reorder_, forward_weights_);
    onednn::execute(forward_, {{DNNL_ARG_SRC, b.src[0].dnnl()},
                               {DNNL_ARG_WEIGHTS, weights.dnnl()},
                               {DNNL_ARG_BIAS, has_bias_ ? b.packed[1].dnnl() : nullptr},
                               {DNNL_ARG_DST, b.dst.dnnl()},
                               {DNNL_ARG_SCRATCHPAD, extra(b, forward_scratch_).dnnl()}});
  }

  void backward(const Buffers& b) const override {
    if (backward_data_) {
      const Buffer& weights = reordered(b, data_reorder_, data_weights_);
      const Buffer &diff_dst = dst_reorder_ ? extra(b, blocked_dst_) : b.diff_dst,
                   &diff_src = dst_reorder_ ? extra(b, blocked_src_) : b.diff_src[0];
      if (dst_reorder_) onednn::execute_reorder(dst_reorder_, b.diff_dst.memory, diff_dst.memory);
      onednn::execute(backward_data_, {{DNNL_ARG_DIFF_DST, diff_dst.dnnl()},
                                       {DNNL_ARG_WEIGHTS, weights.dnnl()},
                                       {DNNL_ARG_DIFF_SRC, diff_src.dnnl()},
                                       {DNNL_ARG_SCRATCHPAD, extra(b, data_scratch_).dnnl()}});
      if (dst_reorder_)
        onednn::execute_reorder(src_reorder_, diff_src.memory, b.diff_src[0].memory);
    }
    if (backward_weights_) {
      const Buffer& diff = gradient_reorder_ ? extra(b, diff_weights_) : b.diff_packed[0];
      onednn::execute(backward_weights_,
                      {{DNNL_ARG_SRC, b.src[0].dnnl()},
                       {DNNL_ARG_DIFF_DST, b.diff_dst.dnnl()},
                       {DNNL_ARG_DIFF_WEIGHTS, diff.dnnl()},
                       {DNNL_ARG_DIFF_BIAS, has_bias_ ? b.diff_packed[1].dnnl() : nullptr},
                       {DNNL_ARG_SCRATCHPAD, extra(b, weights_scratch_).dnnl()}});
      if (gradient_reorder_)
        onednn::execute_reorder(gradient_reorder_, diff.memory, b.diff_packed[0].memory);
    }
  }

  int accumulates_into() const override { return fused_.sum ? 1 : -1; }
  std::string implementation() const override { return implementation_; }

  // With a folded batch norm: scale = gamma / sqrt(var + eps), weight' = weight * scale,
  // bias' = (bias - mean) * scale + beta; in f64.
  void pack(std::span<const Tensor> canonical, std::span<const Buffer> packed) const override {
    Tensor weight = canonical[0], bias = op_.options().bias ? canonical[1] : Tensor();
    if (fused_.norm) {
      const size_t first = op_.options().bias ? 2 : 1;
      const float *gamma = canonical[first].data(), *beta = canonical[first + 1].data();
      const float *mean = canonical[first + 2].data(), *var = canonical[first + 3].data();
      const int64_t out = op_.options().out_channels, per_out = weight.size() / out;
      weight = weight.clone();
      const Tensor own_bias = bias;
      bias = Tensor({out});
      for (int64_t o = 0; o < out; ++o) {
        const double scale = gamma[o] / std::sqrt(double{var[o]} + fused_.epsilon);
        for (int64_t i = 0; i < per_out; ++i) {
          float& w = weight.data()[o * per_out + i];
          w = static_cast<float>(w * scale);
        }
        const double before = own_bias.empty() ? 0.0 : own_bias.data()[o];
        bias.data()[o] = static_cast<float>((before - mean[o]) * scale + beta[o]);
      }
    }
    onednn::reorder_once(canonical_weight_, weight.raw(), packed[0].memory.get_desc(),
                         packed[0].data);
    if (has_bias_)
      onednn::reorder_once(shape_.bias, bias.raw(), packed[1].memory.get_desc(), packed[1].data);
  }

 private:
  static const Buffer& extra(const Buffers& b, int index) {
    return b.extra[static_cast<size_t>(index)];
  }

  // The weights in the layout and dtype that a primitive wants.
  static const Buffer& reordered(const Buffers& b, const dnnl::primitive& reorder, int into) {
    if (!reorder) return b.packed[0];
    onednn::execute_reorder(reorder, b.packed[0].memory, extra(b, into).memory);
    return extra(b, into);
  }

  void prepare_backward_data(KernelBuilder& b,
                             const dnnl::convolution_forward::primitive_desc& forward_desc) {
    auto desc = onednn::convolution_backward_data(shape_, forward_desc);
    // oneDNN 2.6's bf16 1x1 backward works on pairs of output channels and is wrong for an odd
    // number of them unless their layout pads them.
    if (b.dtype == DType::bf16 && op_.options().out_channels % 2 != 0) {
      onednn::ConvolutionShape padded = shape_;
      padded.src = onednn::any_layout(b.src_shapes[0], b.dtype);
      padded.dst = onednn::any_layout(b.dst_shape, b.dtype);
      desc =
          onednn::convolution_backward_data(padded, onednn::convolution_forward(padded, true, {}));
      dst_reorder_ = onednn::make_reorder(shape_.dst, desc.diff_dst_desc());
      src_reorder_ = onednn::make_reorder(desc.diff_src_desc(), shape_.src);
      blocked_dst_ = b.temporary(desc.diff_dst_desc(), true);
      blocked_src_ = b.temporary(desc.diff_src_desc(), true);
    }
    backward_data_ = onednn::make(desc);
    data_scratch_ = b.temporary(desc.scratchpad_desc(), true);
    if (desc.weights_desc() == master_) return;
    data_reorder_ = onednn::make_reorder(master_, desc.weights_desc());
    data_weights_ = b.temporary(desc.weights_desc(), true);
  }

  // In bf16 the masters are f32, in the layout in which their gradients come.
  void prepare_backward_weights(KernelBuilder& b,
                                const dnnl::convolution_forward::primitive_desc& forward_desc,
                                DType dtype) {
    const auto desc = onednn::convolution_backward_weights(shape_, forward_desc);
    backward_weights_ = onednn::make(desc);
    weights_scratch_ = b.temporary(desc.scratchpad_desc(), true);
    if (dtype != DType::f32) master_ = desc.diff_weights_desc();
    if (desc.diff_weights_desc() == master_) return;
    gradient_reorder_ = onednn::make_reorder(desc.diff_weights_desc(), master_);
    diff_weights_ = b.temporary(desc.diff_weights_desc(), true);
  }

  Conv2d op_;
  Conv2d::Fused fused_;
  bool has_bias_ = false;
  onednn::ConvolutionShape shape_;
  Desc weights_, canonical_weight_;
  Desc master_;  // of the packed weight
  dnnl::primitive forward_, backward_data_, backward_weights_;
  dnnl::primitive forward_reorder_, data_reorder_, gradient_reorder_, dst_reorder_, src_reorder_;
  int forward_scratch_ = 0, data_scratch_ = 0, weights_scratch_ = 0;
  int forward_weights_ = 0, data_weights_ = 0, diff_weights_ = 0;
  int blocked_dst_ = 0, blocked_src_ = 0;
  std::string implementation_;
};

}  // namespace

std::unique_ptr<Kernel> Conv2d::compile(KernelBuilder& builder) const {
  return std::make_unique<Conv2dKernel>(*this, builder);
}

Value conv2d(const Scope& scope, Value src, const Conv2dOptions& options) {
  return src.graph->append({.name = scope.path,
                            .op = std::make_shared<Conv2d>(src.channels(), options),
                            .src = {src},
                            .channels = options.out_channels});
}

}  // namespace limbic
