#include "limbic/nn/ops/conv2d_directions.h"

namespace limbic {
namespace {

using onednn::Desc;

// A copy of the master in another layout or dtype, or the master itself.
class ReadWeights {
 public:
  void agree(const Desc& master, const Desc& wanted, KernelBuilder& b, bool in_backward) {
    if (master == wanted) return;
    reorder_ = onednn::make_reorder(master, wanted);
    copy_ = b.temporary(wanted, in_backward);
  }
  const Buffer& read(const Buffers& b) const {
    if (!reorder_) return b.packed[0];
    onednn::execute_reorder(reorder_, b.packed[0].memory, b.at(copy_).memory);
    return b.at(copy_);
  }

 private:
  dnnl::primitive reorder_;
  int copy_ = -1;
};

class DirectForward : public Direction {
 public:
  explicit DirectForward(const ConvolutionProblem& p)
      : has_bias_(p.has_bias), trace_(p.op, p.builder) {
    const auto desc = choose(p);
    forward_ = onednn::make(desc);
    name_ = desc.impl_info_str();
    weights_ = desc.weights_desc();
    scratch_ = p.builder.temporary(desc.scratchpad_desc(), false);
  }

  void run(const Buffers& b) const override {
    const Buffer& weights = read_.read(b);
    onednn::execute(forward_, {{DNNL_ARG_SRC, b.src[0].dnnl()},
                               {DNNL_ARG_WEIGHTS, weights.dnnl()},
                               {DNNL_ARG_BIAS, has_bias_ ? b.packed[1].dnnl() : nullptr},
                               {DNNL_ARG_DST, b.dst.dnnl()},
                               {DNNL_ARG_SCRATCHPAD, b.at(scratch_).dnnl()}});
    trace_.drop(b.dst);
  }
  Desc weights() const override { return weights_; }
  void agree(const Desc& master, KernelBuilder& b) override {
    read_.agree(master, weights_, b, false);
  }
  std::string name() const override { return name_; }

 private:
  // Weights that are packed already are read as they lie, where that is no slower.
  static dnnl::convolution_forward::primitive_desc choose(const ConvolutionProblem& p) {
    const auto& free = p.forward();
    if (!p.builder.like_packed || (*p.builder.like_packed)[0] == free.weights_desc()) return free;
    onednn::ConvolutionShape as_packed = p.shape;
    as_packed.weights = (*p.builder.like_packed)[0];
    try {
      auto fixed = p.forward(as_packed);
      if (std::string(fixed.impl_info_str()) == free.impl_info_str()) return fixed;
    } catch (const dnnl::error&) {  // it has no such kernel
    }
    return free;
  }

  bool has_bias_;
  ReluTrace trace_;
  Desc weights_;
  dnnl::primitive forward_;
  ReadWeights read_;
  int scratch_;
  std::string name_;
};

class DirectDataGradient : public Direction {
 public:
  explicit DirectDataGradient(const ConvolutionProblem& p) {
    KernelBuilder& b = p.builder;
    auto desc = onednn::convolution_backward_data(p.shape, p.forward());
    // oneDNN 2.6's bf16 1x1 backward works on pairs of output channels and is wrong for an odd
    // number of them unless their layout pads them.
    if (b.dtype == DType::bf16 && p.op.options().out_channels % 2 != 0) {
      onednn::ConvolutionShape padded = p.shape;
      padded.src = onednn::any_layout(b.src_shapes[0], b.dtype);
      padded.dst = onednn::any_layout(b.dst_shape, b.dtype);
      desc =
          onednn::convolution_backward_data(padded, onednn::convolution_forward(padded, true, {}));
      dst_reorder_ = onednn::make_reorder(p.shape.dst, desc.diff_dst_desc());
      src_reorder_ = onednn::make_reorder(desc.diff_src_desc(), p.shape.src);
      blocked_dst_ = b.temporary(desc.diff_dst_desc(), true);
      blocked_src_ = b.temporary(desc.diff_src_desc(), true);
    }
    backward_ = onednn::make(desc);
    weights_ = desc.weights_desc();
    scratch_ = b.temporary(desc.scratchpad_desc(), true);
  }

  void run(const Buffers& b) const override {
    const Buffer& weights = read_.read(b);
    const Buffer &diff_dst = dst_reorder_ ? b.at(blocked_dst_) : b.diff_dst,
                 &diff_src = dst_reorder_ ? b.at(blocked_src_) : b.diff_src[0];
    if (dst_reorder_) onednn::execute_reorder(dst_reorder_, b.diff_dst.memory, diff_dst.memory);
    onednn::execute(backward_, {{DNNL_ARG_DIFF_DST, diff_dst.dnnl()},
                                {DNNL_ARG_WEIGHTS, weights.dnnl()},
                                {DNNL_ARG_DIFF_SRC, diff_src.dnnl()},
                                {DNNL_ARG_SCRATCHPAD, b.at(scratch_).dnnl()}});
    if (dst_reorder_) onednn::execute_reorder(src_reorder_, diff_src.memory, b.diff_src[0].memory);
  }
  Desc weights() const override { return weights_; }
  void agree(const Desc& master, KernelBuilder& b) override {
    read_.agree(master, weights_, b, true);
  }
  std::string name() const override { return "direct"; }

 private:
  Desc weights_;
  dnnl::primitive backward_, dst_reorder_, src_reorder_;
  ReadWeights read_;
  int scratch_;
  int blocked_dst_ = -1, blocked_src_ = -1;
};

// Whether some row or column of the kernel lies in the padding wherever the kernel stands.
bool some_weight_meets_no_pixel(const Conv2dOptions& o, const KernelBuilder& b) {
  const auto misses = [](int64_t kernel, int64_t stride, int64_t padding, int64_t dilation,
                         int64_t in, int64_t out) {
    for (int64_t u = 0; u < kernel; ++u) {
      bool meets = false;
      for (int64_t y = 0; y < out && !meets; ++y) {
        const int64_t at = y * stride - padding + u * dilation;
        meets = at >= 0 && at < in;
      }
      if (!meets) return true;
    }
    return false;
  };
  const Shape &src = b.src_shapes[0], &dst = b.dst_shape;
  return misses(o.kernel_size.h, o.stride.h, o.padding.top, o.dilation.h, src[2], dst[2]) ||
         misses(o.kernel_size.w, o.stride.w, o.padding.left, o.dilation.w, src[3], dst[3]);
}

// oneDNN computes the gradients of weight and bias together: one that nobody wants goes to scratch.
class DirectWeightGradient : public Direction {
 public:
  explicit DirectWeightGradient(const ConvolutionProblem& p) : has_bias_(p.has_bias) {
    KernelBuilder& b = p.builder;
    auto desc = onednn::convolution_backward_weights(p.shape, p.forward());
    // oneDNN 2.6 leaves the gradient of a weight that meets padding alone unwritten in bf16.
    if (b.src_dtypes[0] == DType::bf16 && some_weight_meets_no_pixel(p.op.options(), b)) {
      onednn::ConvolutionShape wide = p.shape;
      wide.src = onednn::channels_last(b.src_shapes[0]);
      wide.weights = wide.diff_weights;
      wide.dst = onednn::channels_last(b.dst_shape);
      desc =
          onednn::convolution_backward_weights(wide, onednn::convolution_forward(wide, true, {}));
      wide_ = Wide{b.temporary(wide.src, true), b.temporary(wide.dst, true), count(b.src_shapes[0]),
                   count(b.dst_shape)};
    }
    backward_ = onednn::make(desc);
    gradient_ = desc.diff_weights_desc();
    scratch_ = b.temporary(desc.scratchpad_desc(), true);
    if (!p.wants_weight) unwanted_weight_ = b.temporary(gradient_, true);
    if (has_bias_ && !p.wants_bias) unwanted_bias_ = b.temporary(p.shape.bias, true);
  }

  void run(const Buffers& b) const override {
    const Buffer& weight = unwanted_weight_ ? b.at(*unwanted_weight_)
                           : reorder_       ? b.at(copy_)
                                            : b.diff_packed[0];
    const dnnl::memory* bias = !has_bias_       ? nullptr
                               : unwanted_bias_ ? b.at(*unwanted_bias_).dnnl()
                                                : b.diff_packed[1].dnnl();
    const Buffer &src = wide_ ? b.at(wide_->src) : b.src[0],
                 &diff_dst = wide_ ? b.at(wide_->diff) : b.diff_dst;
    if (wide_) {
      widen(b.src[0].as<BFloat16>(), src.f32(), wide_->src_elements);
      widen(b.diff_dst.as<BFloat16>(), diff_dst.f32(), wide_->diff_elements);
    }
    onednn::execute(backward_, {{DNNL_ARG_SRC, src.dnnl()},
                                {DNNL_ARG_DIFF_DST, diff_dst.dnnl()},
                                {DNNL_ARG_DIFF_WEIGHTS, weight.dnnl()},
                                {DNNL_ARG_DIFF_BIAS, bias},
                                {DNNL_ARG_SCRATCHPAD, b.at(scratch_).dnnl()}});
    if (reorder_) onednn::execute_reorder(reorder_, weight.memory, b.diff_packed[0].memory);
  }
  Desc weights() const override { return gradient_; }
  void agree(const Desc& master, KernelBuilder& b) override {
    if (gradient_ == master || unwanted_weight_) return;
    reorder_ = onednn::make_reorder(gradient_, master);
    copy_ = b.temporary(gradient_, true);
  }
  std::string name() const override { return "direct"; }

 private:
  struct Wide {  // f32 copies, for a gradient that bf16 gets wrong
    int src, diff;
    int64_t src_elements, diff_elements;
  };

  bool has_bias_;
  Desc gradient_;
  dnnl::primitive backward_, reorder_;
  int scratch_, copy_ = -1;
  std::optional<int> unwanted_weight_, unwanted_bias_;
  std::optional<Wide> wide_;
};

class WinogradWeightGradient : public Direction {
 public:
  explicit WinogradWeightGradient(const ConvolutionProblem& p)
      : gradient_(geometry(p.op, p.builder.src_shapes[0])),
        hwio_(onednn::hwio(grouped_weight_shape(p.op))),
        scratch_(p.builder.temporary(onednn::flat(gradient_.scratch_floats()), true)) {}
  void run(const Buffers& b) const override {
    gradient_.run(b.src[0].f32(), b.diff_dst.f32(), b.diff_packed[0].f32(), b.at(scratch_).f32());
  }
  Desc weights() const override { return hwio_; }
  void agree(const Desc& master, KernelBuilder& b) override {
    require(master == hwio_, b.name, ": a gradient by Winograd gives HWIO");
  }
  std::string name() const override { return "winograd"; }

 private:
  winograd::WeightGradient gradient_;
  Desc hwio_;
  int scratch_;
};

}  // namespace

const char* name_of(Algorithm a) {
  return a == Algorithm::direct       ? "direct"
         : a == Algorithm::winograd_2 ? "winograd F(2,3)"
                                      : "winograd F(4,3)";
}

winograd::Geometry geometry(const Conv2d& op, const Shape& src) {
  const auto& o = op.options();
  return {.n = src[0],
          .h = src[2],
          .w = src[3],
          .in_channels = op.in_channels(),
          .out_channels = o.out_channels,
          .top = o.padding.top,
          .left = o.padding.left,
          .bottom = o.padding.bottom,
          .right = o.padding.right};
}

ConvolutionProblem::ConvolutionProblem(const Conv2d& convolution, KernelBuilder& b)
    : op(convolution), builder(b), has_bias(op.options().bias || op.fused().norm) {
  const auto& o = op.options();
  const Shape weight = grouped_weight_shape(op);
  const DType dtype = b.src_dtypes[0];
  shape = {.src = onednn::channels_last(b.src_shapes[0], dtype),
           .weights = onednn::any_layout(weight, dtype),
           .dst = onednn::channels_last(b.dst_shape, b.dtype),
           .diff_weights = onednn::any_layout(weight),
           .bias = has_bias ? onednn::canonical({o.out_channels}) : Desc(),
           .strides = {o.stride.h, o.stride.w},
           .dilates = {o.dilation.h - 1, o.dilation.w - 1},
           .padding_begin = {o.padding.top, o.padding.left},
           .padding_end = {o.padding.bottom, o.padding.right}};
  canonical_weight = onednn::canonical(weight);
  wants_data = b.gradients && b.diff_src[0];
  wants_weight = b.gradients && b.diff_parameters[0];
  wants_bias = b.gradients && o.bias && b.diff_parameters[1];
}

dnnl::convolution_forward::primitive_desc ConvolutionProblem::forward(
    const onednn::ConvolutionShape& of) const {
  return onednn::convolution_forward(of, builder.gradients,
                                     {.sum = op.fused().sum, .relu = op.fused().then.is_relu()});
}

const dnnl::convolution_forward::primitive_desc& ConvolutionProblem::forward() const {
  if (!forward_) forward_ = forward(shape);
  return *forward_;
}

std::unique_ptr<Direction> direct_forward(const ConvolutionProblem& p) {
  return std::make_unique<DirectForward>(p);
}
std::unique_ptr<Direction> direct_data_gradient(const ConvolutionProblem& p) {
  return std::make_unique<DirectDataGradient>(p);
}
std::unique_ptr<Direction> direct_weight_gradient(const ConvolutionProblem& p) {
  return std::make_unique<DirectWeightGradient>(p);
}
std::unique_ptr<Direction> winograd_weight_gradient(const ConvolutionProblem& p) {
  return std::make_unique<WinogradWeightGradient>(p);
}

namespace {

winograd::Geometry direction_of(const ConvolutionProblem& p, bool backward_data) {
  const winograd::Geometry forward = geometry(p.op, p.builder.src_shapes[0]);
  return backward_data ? forward.backward_data() : forward;
}

}  // namespace

WinogradDirection::WinogradDirection(const ConvolutionProblem& p, Algorithm a, bool backward_data)
    : backward_data_(backward_data),
      has_bias_(p.has_bias && !backward_data),
      sum_(p.op.fused().sum && !backward_data),
      relu_(p.op.fused().then.is_relu() && !backward_data),
      hwio_(onednn::hwio(grouped_weight_shape(p.op))),
      convolution_(direction_of(p, backward_data), a == Algorithm::winograd_2 ? 2 : 4),
      scratch_(p.builder.temporary(onednn::flat(convolution_.scratch_floats()), backward_data)) {
  if (p.builder.gradients)
    packed_ = p.builder.temporary(onednn::flat(convolution_.packed_weight_floats()), backward_data);
}

Desc WinogradDirection::weights() const {
  return packed_ ? hwio_ : onednn::flat(convolution_.packed_weight_floats());
}

std::string WinogradDirection::name() const {
  return name_of(convolution_.tile() == 2 ? Algorithm::winograd_2 : Algorithm::winograd_4);
}

void WinogradDirection::run(const Buffers& b) const {
  const float* weights = b.packed[0].f32();
  if (packed_) {
    float* packed = b.at(*packed_).f32();
    convolution_.pack(
        weights, {.layout = winograd::WeightLayout::hwio, .backward_data = backward_data_}, packed);
    weights = packed;
  }
  const Buffer &src = backward_data_ ? b.diff_dst : b.src[0],
               &dst = backward_data_ ? b.diff_src[0] : b.dst;
  const bool adds = sum_ || (backward_data_ && b.add_diff_src[0]);
  convolution_.run(src.f32(), weights, dst.f32(), convolution_.geometry().out_channels,
                   {.bias = has_bias_ ? b.packed[1].f32() : nullptr,
                    .add = adds ? dst.f32() : nullptr,
                    .relu = relu_},
                   b.at(scratch_).f32());
}

}  // namespace limbic
