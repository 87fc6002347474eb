#include "limbic/nn/ops/conv2d_kernel.h"

#include <algorithm>
#include <cmath>

#include "limbic/core/simd.h"
#include "limbic/nn/cpu/tuner.h"
#include "limbic/nn/ops/conv2d_directions.h"

namespace limbic {
namespace {

using onednn::Desc;

bool is_winograd(const Conv2dOptions& o, const KernelBuilder& b) {
  const auto fits = [](int64_t padding) { return padding >= 0 && padding <= 2; };
  return b.winograd && b.dtype == DType::f32 && b.src_dtypes[0] == DType::f32 &&
         o.kernel_size.h == 3 && o.kernel_size.w == 3 && o.stride.h == 1 && o.stride.w == 1 &&
         o.dilation.h == 1 && o.dilation.w == 1 && o.groups == 1 && fits(o.padding.top) &&
         fits(o.padding.left) && fits(o.padding.bottom) && fits(o.padding.right);
}

// F(4,3) wins wherever there are tiles and channels enough to feed it (docs/winograd.md).
Algorithm by_rule(const winograd::Geometry& g) {
  const int64_t tiles = g.n * ((g.out_h() + 3) / 4) * ((g.out_w() + 3) / 4);
  const int64_t least = std::min(g.in_channels, g.out_channels);
  return least >= 128 || (least >= 16 && tiles >= 12) ? Algorithm::winograd_4 : Algorithm::direct;
}

class Conv2dKernel : public Kernel {
 public:
  Conv2dKernel(const Conv2d& op, KernelBuilder& b, Algorithm forward, Algorithm backward_data)
      : op_(op) {
    const ConvolutionProblem problem(op_, b);
    has_bias_ = problem.has_bias;
    bias_ = problem.shape.bias;
    canonical_weight_ = problem.canonical_weight;
    const bool direct = forward == Algorithm::direct;
    const bool data_is_direct = backward_data == Algorithm::direct || !problem.wants_data;
    if (direct) {
      forward_ = direct_forward(problem);
    } else {
      auto winograd = std::make_unique<WinogradDirection>(problem, forward, false);
      if (!b.gradients) packs_ = winograd.get();
      forward_ = std::move(winograd);
    }
    if (problem.wants_data)
      data_ = data_is_direct ? direct_data_gradient(problem)
                             : std::make_unique<WinogradDirection>(problem, backward_data, true);
    // The bias' gradient comes with oneDNN's alone.
    if (problem.wants_weight || problem.wants_bias)
      weight_ = has_bias_ || (direct && data_is_direct) ? direct_weight_gradient(problem)
                                                        : winograd_weight_gradient(problem);
    // The master is f32: as forward wants it, or HWIO, which Winograd reads; in bf16 as its
    // gradient comes. Who has packed it already has chosen.
    Desc master = forward_->weights();
    if (b.gradients && !(direct && data_is_direct))
      master = onednn::hwio(grouped_weight_shape(op_));
    if (weight_ && b.src_dtypes[0] != DType::f32) master = weight_->weights();
    if (b.like_packed) master = (*b.like_packed)[0];
    for (Direction* direction : {forward_.get(), data_.get(), weight_.get()})
      if (direction) direction->agree(master, b);
    b.pack_as(has_bias_ ? std::vector<Desc>{master, bias_} : std::vector<Desc>{master});
  }

  void forward(const Buffers& b) const override { forward_->run(b); }
  void backward(const Buffers& b) const override {
    if (data_) data_->run(b);
    if (weight_) weight_->run(b);
  }
  bool can_add_gradient() const override { return data_ && data_->can_add(); }
  int accumulates_into() const override { return op_.fused().sum ? 1 : -1; }
  std::string implementation() const override {
    std::string text = forward_->name();
    if (data_) text += ", data gradient " + data_->name();
    if (weight_ && weight_->name() != "direct") text += ", weight gradient " + weight_->name();
    return text;
  }
  std::string packing() const override { return packs_ ? packs_->name() : "direct"; }

  void pack(std::span<const Tensor> canonical, std::span<const Buffer> packed) const override {
    thread_local std::vector<float> memory;
    const auto [weight, bias] = folded_weights(op_, canonical, memory);
    if (packs_)
      packs_->pack(weight.data(), packed[0].f32());
    else
      onednn::reorder_once(canonical_weight_, weight.raw(), packed[0].memory.get_desc(),
                           packed[0].data);
    if (has_bias_)
      onednn::reorder_once(bias_, bias.raw(), packed[1].memory.get_desc(), packed[1].data);
  }

 private:
  Conv2d op_;
  bool has_bias_;
  Desc bias_, canonical_weight_;
  std::unique_ptr<Direction> forward_, data_, weight_;  // null where nobody wants it
  const WinogradDirection* packs_ = nullptr;            // forward, where it packs in its own way
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
    if (b.like_packed) {
      for (Algorithm a : {Algorithm::direct, Algorithm::winograd_2, Algorithm::winograd_4})
        if (name_of(a) == b.like_packing) forward = a;
    } else if (b.tune && !b.gradients) {
      const auto fastest = by_timing(op, b, forward);
      if (!fastest) return nullptr;
      forward = *fastest;
    }
  }
  return std::make_unique<Conv2dKernel>(op, b, forward, backward_data);
}

}  // namespace limbic
