#include "limbic/nn/ops/conv2d_kernel.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "limbic/core/simd.h"
#include "limbic/nn/cpu/tuner.h"
#include "limbic/nn/cpu/winograd/convolution.h"
#include "limbic/nn/cpu/winograd/weight_gradient.h"
#include "limbic/nn/ops/elementwise.h"

namespace limbic {
namespace {

using onednn::Desc;

enum class Algorithm { direct, winograd_2, winograd_4 };

std::string name_of(Algorithm a) {
  return a == Algorithm::direct       ? "direct"
         : a == Algorithm::winograd_2 ? "winograd F(2,3)"
                                      : "winograd F(4,3)";
}

bool is_winograd(const Conv2dOptions& o, const KernelBuilder& b) {
  const auto fits = [](int64_t padding) { return padding >= 0 && padding <= 2; };
  return b.winograd && b.dtype == DType::f32 && b.src_dtypes[0] == DType::f32 &&
         o.kernel_size.h == 3 && o.kernel_size.w == 3 && o.stride.h == 1 && o.stride.w == 1 &&
         o.dilation.h == 1 && o.dilation.w == 1 && o.groups == 1 && fits(o.padding.top) &&
         fits(o.padding.left) && fits(o.padding.bottom) && fits(o.padding.right);
}

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

// F(4,3) wins wherever there are tiles and channels enough to feed it (docs/winograd.md).
Algorithm by_rule(const winograd::Geometry& g) {
  const int64_t tiles = g.n * ((g.out_h() + 3) / 4) * ((g.out_w() + 3) / 4);
  const int64_t least = std::min(g.in_channels, g.out_channels);
  return least >= 128 || (least >= 16 && tiles >= 12) ? Algorithm::winograd_4 : Algorithm::direct;
}

// One direction of a convolution by Winograd, with the memory that it asked the plan for.
class WinogradPart {
 public:
  // `layout` of the weights given to run: hwio masters, or null where they are packed already.
  void prepare(KernelBuilder& b, const winograd::Geometry& g, Algorithm a, bool in_backward) {
    convolution_.emplace(g, a == Algorithm::winograd_2 ? 2 : 4);
    scratch_ = b.temporary(onednn::flat(convolution_->scratch_floats()), in_backward);
    is_backward_data_ = in_backward;
    if (b.gradients)
      packed_ = b.temporary(onednn::flat(convolution_->packed_weight_floats()), in_backward);
  }
  explicit operator bool() const { return convolution_.has_value(); }
  const winograd::Convolution& convolution() const { return *convolution_; }

  void run(const Buffers& b, const Buffer& src, const Buffer& dst,
           const winograd::Epilogue& epilogue) const {
    const float* weights = b.packed[0].f32();
    if (packed_ >= 0) {
      float* packed = b.extra[static_cast<size_t>(packed_)].f32();
      convolution_->pack(
          weights, {.layout = winograd::WeightLayout::hwio, .backward_data = is_backward_data_},
          packed);
      weights = packed;
    }
    convolution_->run(src.f32(), weights, dst.f32(), convolution_->geometry().out_channels,
                      epilogue, b.extra[static_cast<size_t>(scratch_)].f32());
  }

 private:
  std::optional<winograd::Convolution> convolution_;
  bool is_backward_data_ = false;
  int scratch_ = 0, packed_ = -1;
};

class Conv2dKernel : public Kernel {
 public:
  Conv2dKernel(const Conv2d& op, KernelBuilder& b, Algorithm forward, Algorithm backward_data)
      : op_(op), fused_(op.fused()), is_training_(b.gradients), trace_(op, b) {
    const auto& o = op.options();
    has_bias_ = o.bias || fused_.norm;
    elements_ = count(b.dst_shape);
    const Shape weight = grouped_weight_shape(op);
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
    canonical_weight_ = onednn::canonical(weight);
    const bool wants_data = b.gradients && b.diff_src[0];
    // oneDNN computes both gradients or none; one that nobody wants goes to scratch.
    const bool wants_weight = b.gradients && b.diff_parameters[0];
    const bool wants_bias = b.gradients && o.bias && b.diff_parameters[1];
    const bool wants_weights = wants_weight || wants_bias;
    const bool forward_is_direct = forward == Algorithm::direct;
    const bool data_is_direct = !wants_data || backward_data == Algorithm::direct;
    // The bias' gradient comes with oneDNN's alone.
    const bool weights_are_direct =
        !wants_weights || has_bias_ || (forward_is_direct && data_is_direct);

    std::optional<dnnl::convolution_forward::primitive_desc> hint;
    if (forward_is_direct || (wants_weights && weights_are_direct) ||
        (wants_data && data_is_direct))
      hint = onednn::convolution_forward(shape_, b.gradients,
                                         {.sum = fused_.sum, .relu = fused_.relu});
    // Masters are f32: in forward's layout, or hwio, which Winograd reads; in bf16, and where no
    // plan trains them, in the layout in which their gradients come.
    if (forward_is_direct) {
      forward_ = onednn::make(*hint);
      implementation_ = hint->impl_info_str();
      weights_ = master_ = hint->weights_desc();
      forward_scratch_ = b.temporary(hint->scratchpad_desc(), false);
    } else {
      winograd_forward_.prepare(b, geometry(op, b.src_shapes[0]), forward, false);
      implementation_ = name_of(forward);
      master_ = onednn::flat(winograd_forward_.convolution().packed_weight_floats());
    }
    if (b.gradients && !(forward_is_direct && data_is_direct)) master_ = onednn::hwio(weight);
    if (wants_weights && weights_are_direct) prepare_backward_weights(b, *hint, dtype);
    if (wants_weights && !wants_weight) unwanted_weight_ = b.temporary(master_, true);
    if (wants_weights && has_bias_ && !wants_bias) unwanted_bias_ = b.temporary(shape_.bias, true);
    if (!weights_are_direct) {
      weight_gradient_.emplace(geometry(op, b.src_shapes[0]));
      weights_scratch_ = b.temporary(onednn::flat(weight_gradient_->scratch_floats()), true);
    }
    if (wants_data && data_is_direct) prepare_backward_data(b, *hint);
    if (wants_data && !data_is_direct) {
      const auto g = geometry(op, b.src_shapes[0]).backward_data();
      winograd_data_.prepare(b, g, backward_data, true);
    }
    if (wants_data) implementation_ += ", data gradient " + name_of(backward_data);
    if (!weights_are_direct) implementation_ += ", weight gradient winograd";
    std::vector<Desc> packed = {master_};
    if (has_bias_) packed.push_back(shape_.bias);
    b.pack_as(std::move(packed));
    if (!forward_is_direct || master_ == weights_) return;
    forward_reorder_ = onednn::make_reorder(master_, weights_);
    forward_weights_ = b.temporary(weights_, false);
  }

  void forward(const Buffers& b) const override {
    if (winograd_forward_) {
      winograd_forward_.run(b, b.src[0], b.dst,
                            {.bias = has_bias_ ? b.packed[1].f32() : nullptr,
                             .add = fused_.sum ? b.dst.f32() : nullptr,
                             .relu = fused_.relu});
      return;
    }
    const Buffer& weights = reordered(b, forward_reorder_, forward_weights_);
    onednn::execute(forward_, {{DNNL_ARG_SRC, b.src[0].dnnl()},
                               {DNNL_ARG_WEIGHTS, weights.dnnl()},
                               {DNNL_ARG_BIAS, has_bias_ ? b.packed[1].dnnl() : nullptr},
                               {DNNL_ARG_DST, b.dst.dnnl()},
                               {DNNL_ARG_SCRATCHPAD, extra(b, forward_scratch_).dnnl()}});
    trace_.drop(b.dst);
  }

  void backward(const Buffers& b) const override {
    if (winograd_data_)
      winograd_data_.run(b, b.diff_dst, b.diff_src[0],
                         {.add = b.add_diff_src[0] ? b.diff_src[0].f32() : nullptr});
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
    if (weight_gradient_)
      weight_gradient_->run(b.src[0].f32(), b.diff_dst.f32(), b.diff_packed[0].f32(),
                            extra(b, weights_scratch_).f32());
    if (backward_weights_) {
      const Buffer& weight = unwanted_weight_ >= 0 ? extra(b, unwanted_weight_) : b.diff_packed[0];
      const Buffer& diff = gradient_reorder_ ? extra(b, diff_weights_) : weight;
      const dnnl::memory* bias = !has_bias_            ? nullptr
                                 : unwanted_bias_ >= 0 ? extra(b, unwanted_bias_).dnnl()
                                                       : b.diff_packed[1].dnnl();
      const Buffer &src = wide_src_ >= 0 ? extra(b, wide_src_) : b.src[0],
                   &diff_dst = wide_src_ >= 0 ? extra(b, wide_diff_) : b.diff_dst;
      if (wide_src_ >= 0) {
        widen(b.src[0].as<BFloat16>(), src.f32(), src_elements_);
        widen(b.diff_dst.as<BFloat16>(), diff_dst.f32(), elements_);
      }
      onednn::execute(backward_weights_,
                      {{DNNL_ARG_SRC, src.dnnl()},
                       {DNNL_ARG_DIFF_DST, diff_dst.dnnl()},
                       {DNNL_ARG_DIFF_WEIGHTS, diff.dnnl()},
                       {DNNL_ARG_DIFF_BIAS, bias},
                       {DNNL_ARG_SCRATCHPAD, extra(b, weights_scratch_).dnnl()}});
      if (gradient_reorder_ && unwanted_weight_ < 0)
        onednn::execute_reorder(gradient_reorder_, diff.memory, b.diff_packed[0].memory);
    }
  }

  bool can_add_gradient() const override { return static_cast<bool>(winograd_data_); }
  int accumulates_into() const override { return fused_.sum ? 1 : -1; }
  std::string implementation() const override { return implementation_; }

  void pack(std::span<const Tensor> canonical, std::span<const Buffer> packed) const override {
    thread_local std::vector<float> memory;
    const auto [weight, bias] = folded_weights(op_, canonical, memory);
    if (winograd_forward_ && !is_training_)
      winograd_forward_.convolution().pack(weight.data(), {}, packed[0].f32());
    else
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
    auto desc = onednn::convolution_backward_weights(shape_, forward_desc);
    // oneDNN 2.6 leaves the gradient of a weight that meets padding alone unwritten in bf16.
    if (dtype == DType::bf16 && some_weight_meets_no_pixel(op_.options(), b)) {
      onednn::ConvolutionShape wide = shape_;
      wide.src = onednn::channels_last(b.src_shapes[0]);
      wide.weights = wide.diff_weights;
      wide.dst = onednn::channels_last(b.dst_shape);
      desc =
          onednn::convolution_backward_weights(wide, onednn::convolution_forward(wide, true, {}));
      wide_src_ = b.temporary(wide.src, true);
      wide_diff_ = b.temporary(wide.dst, true);
      src_elements_ = count(b.src_shapes[0]);
    }
    backward_weights_ = onednn::make(desc);
    weights_scratch_ = b.temporary(desc.scratchpad_desc(), true);
    if (dtype != DType::f32) master_ = desc.diff_weights_desc();
    if (desc.diff_weights_desc() == master_) return;
    gradient_reorder_ = onednn::make_reorder(desc.diff_weights_desc(), master_);
    diff_weights_ = b.temporary(desc.diff_weights_desc(), true);
  }

  Conv2d op_;
  Conv2d::Fused fused_;
  bool is_training_, has_bias_ = false;
  ReluTrace trace_;
  int64_t elements_ = 0;
  WinogradPart winograd_forward_, winograd_data_;
  std::optional<winograd::WeightGradient> weight_gradient_;
  onednn::ConvolutionShape shape_;
  Desc weights_, canonical_weight_;
  Desc master_;  // of the packed weight
  dnnl::primitive forward_, backward_data_, backward_weights_;
  dnnl::primitive forward_reorder_, data_reorder_, gradient_reorder_, dst_reorder_, src_reorder_;
  int forward_scratch_ = 0, data_scratch_ = 0, weights_scratch_ = 0;
  int forward_weights_ = 0, data_weights_ = 0, diff_weights_ = 0;
  int blocked_dst_ = 0, blocked_src_ = 0;
  int unwanted_weight_ = -1, unwanted_bias_ = -1;
  int wide_src_ = -1, wide_diff_ = -1;  // f32 copies, for a weight gradient that bf16 gets wrong
  int64_t src_elements_ = 0;
  std::string implementation_;
};

// Memory for one kernel alone, to time it.
struct Bench {
  explicit Bench(const KernelBuilder& b) {
    buffers.src.push_back(make(onednn::channels_last(b.src_shapes[0], b.src_dtypes[0])));
    buffers.dst = make(onednn::channels_last(b.dst_shape, b.dtype));
    for (const Desc& desc : b.packed) buffers.packed.push_back(make(desc));
    for (const auto& extra : b.extras) buffers.extra.push_back(make(extra.desc));
  }
  Buffer make(const Desc& desc) {
    memory.emplace_back(Tensor({static_cast<int64_t>(desc.get_size() / 4 + 16)}));
    void* data = memory.back().raw();
    return {dnnl::memory(desc, onednn::engine(), data), data};
  }
  Buffers buffers;
  std::vector<Tensor> memory;
};

// Nothing where it would have to be timed and may not be.
std::optional<Algorithm> by_timing(const Conv2d& op, const KernelBuilder& b, Algorithm rule) {
  const auto& o = op.options();
  std::string key =
      str_cat("conv2d 3x3 ", to_string(b.src_shapes[0]), " to ", o.out_channels, ", padding ",
              o.padding.top, ' ', o.padding.left, ' ', o.padding.bottom, ' ', o.padding.right);
  if (op.fused().sum) key += ", sum";
  std::vector<Algorithm> algorithms = {rule};  // first: it wins where times are equal
  for (Algorithm a : {Algorithm::direct, Algorithm::winograd_2, Algorithm::winograd_4})
    if (a != rule) algorithms.push_back(a);
  // Made only if they are timed.
  std::vector<std::unique_ptr<Kernel>> kernels(algorithms.size());
  std::vector<std::unique_ptr<Bench>> benches(algorithms.size());
  std::vector<Tuner::Candidate> candidates;
  for (size_t i = 0; i < algorithms.size(); ++i)
    candidates.push_back({name_of(algorithms[i]), [&, i] {
                            if (!kernels[i]) {
                              KernelBuilder own = b;
                              kernels[i] = std::make_unique<Conv2dKernel>(op, own, algorithms[i],
                                                                          Algorithm::direct);
                              benches[i] = std::make_unique<Bench>(own);
                            }
                            kernels[i]->forward(benches[i]->buffers);
                          }});
  const auto known = Tuner::shared().remembered(key, candidates);
  if (!known && !b.may_time) return std::nullopt;
  return algorithms[known ? *known : Tuner::shared().choose(key, candidates)];
}

}  // namespace

Shape grouped_weight_shape(const Conv2d& op) {
  Shape weight = op.weight_shape();
  const int64_t groups = op.options().groups;
  if (groups == 1) return weight;
  weight.insert(weight.begin(), groups);
  weight[1] /= groups;
  return weight;
}

namespace {

LIMBIC_MULTIVERSION void scale_to(const float* __restrict from, double scale, float* __restrict to,
                                  int64_t n) {
  for (int64_t i = 0; i < n; ++i) to[i] = static_cast<float>(from[i] * scale);
}

}  // namespace

FoldedWeights folded_weights(const Conv2d& op, std::span<const Tensor> canonical,
                             std::vector<float>& memory) {
  const Tensor own_bias = op.options().bias ? canonical[1] : Tensor();
  if (!op.fused().norm) return {canonical[0], own_bias};
  const size_t first = op.options().bias ? 2 : 1;
  const float *gamma = canonical[first].data(), *beta = canonical[first + 1].data();
  const float *mean = canonical[first + 2].data(), *var = canonical[first + 3].data();
  const int64_t size = canonical[0].size(), out = op.options().out_channels, per_out = size / out;
  if (memory.size() < static_cast<size_t>(size)) memory.resize(static_cast<size_t>(size));
  const Tensor bias({out});
  for (int64_t o = 0; o < out; ++o) {
    const double scale = gamma[o] / std::sqrt(double{var[o]} + op.fused().epsilon);
    scale_to(canonical[0].data() + o * per_out, scale, memory.data() + o * per_out, per_out);
    const double before = own_bias.empty() ? 0.0 : own_bias.data()[o];
    bias.data()[o] = static_cast<float>((before - mean[o]) * scale + beta[o]);
  }
  return {Tensor::view(memory.data(), canonical[0].shape(), DType::f32, nullptr), bias};
}

std::unique_ptr<Kernel> compile_conv2d(const Conv2d& op, KernelBuilder& b) {
  if (!is_wide(b.src_dtypes[0])) return compile_int8_conv2d(op, b);
  Algorithm forward = Algorithm::direct, backward_data = Algorithm::direct;
  if (is_winograd(op.options(), b)) {
    const winograd::Geometry g = geometry(op, b.src_shapes[0]);
    forward = by_rule(g);
    backward_data = by_rule(g.backward_data());
    if (b.tune && !b.gradients) {
      const auto fastest = by_timing(op, b, forward);
      if (!fastest) return nullptr;
      forward = *fastest;
    }
  }
  return std::make_unique<Conv2dKernel>(op, b, forward, backward_data);
}

}  // namespace limbic
