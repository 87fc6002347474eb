#include "limbic/nn/ops/batch_norm.h"

#include <algorithm>
#include <cmath>

#include "limbic/core/parallel.h"
#include "limbic/nn/ops/add.h"
#include "limbic/nn/ops/batch_norm_loops.h"
#include "limbic/nn/ops/elementwise.h"

namespace limbic {

Shape BatchNorm::infer(std::span<const Shape> src) const {
  Shape out = src[0];
  for (int i = 1; i < fused_.pieces; ++i) out[1] += src[static_cast<size_t>(i)][1];
  require(out.size() >= 2 && out[1] == channels_, "expected src (N,", channels_, ",...), got ",
          to_string(out));
  if (fused_.add)
    require(src.back() == out, "cannot add ", to_string(src.back()), " to ", to_string(out));
  return out;
}

std::vector<ParameterSpec> BatchNorm::parameters() const {
  const Initialiser one{Initialiser::Kind::constant, 1}, zero{};
  return {{.name = "weight", .shape = {channels_}, .init = one},
          {.name = "bias", .shape = {channels_}, .init = zero},
          {.name = "running_mean",
           .shape = {channels_},
           .init = zero,
           .trainable = false,
           .statistic = true},
          {.name = "running_var",
           .shape = {channels_},
           .init = one,
           .trainable = false,
           .statistic = true},
          {.name = "num_batches_tracked",
           .shape = {},
           .init = zero,
           .trainable = false,
           .dtype = DType::i64}};
}

std::shared_ptr<const Op> BatchNorm::absorb(const Op& next) const {
  Fused fused = fused_;
  if (fused.then) return nullptr;
  if (dynamic_cast<const Add*>(&next) && !fused.add)
    fused.add = true;
  else if (const Activation a = next.as_activation(); a.is_clamp() && a.low == 0)
    fused.then = a;
  else
    return nullptr;
  return std::make_shared<BatchNorm>(with(fused));
}

namespace {

// Rows worked on at once: few enough that they stay in the cache while piece after piece is read.
constexpr int64_t block_rows = 16;

template <class T>
class BatchNormKernel : public Kernel {
 public:
  BatchNormKernel(const BatchNorm& op, KernelBuilder& b)
      : options_(op.options()),
        fused_(op.fused()),
        batch_statistics_(b.batch_statistics),
        reduce_(b.batch_statistics ? b.reduce_statistics : nullptr),
        rows_(count(b.dst_shape) / b.dst_shape[1]),
        channels_(op.channels()),
        team_(threads()) {
    for (int i = 0; i < fused_.pieces; ++i)
      pieces_.push_back({pieces_.empty() ? 0 : pieces_.back().end(), b.src_shapes[size_t(i)][1]});
    saved_ = b.saved(onednn::flat(3 * channels_));  // mean, 1/sqrt(var+eps), scale
    const onednn::Desc work = onednn::bytes(reduction_bytes(team_, channels_));
    if (batch_statistics_) work_forward_ = b.temporary(work, false);
    if (b.gradients) work_backward_ = b.temporary(work, true);
    if (fused_.then) mask_ = fused_.add ? Mask::stored : Mask::recomputed;
    shared_ = batch_statistics_ && fused_.shared_moments;
  }

  void forward(const Buffers& b) const override {
    float *mean = saved(b), *inverse = mean + channels_, *scale = inverse + channels_;
    if (batch_statistics_)
      use_batch_statistics(b, mean, inverse);
    else
      for (int64_t c = 0; c < channels_; ++c) {
        mean[c] = b.packed[2].f32()[c];
        inverse[c] = inverse_deviation(b.packed[3].f32()[c]);
      }
    for (int64_t c = 0; c < channels_; ++c) scale[c] = b.packed[0].f32()[c] * inverse[c];
    recompute(b);
  }

  bool can_recompute() const override { return true; }
  void recompute(const Buffers& b) const override {
    for_blocks([&](const Piece& p, size_t i, int64_t begin, int64_t rows) {
      normalise<T>({.x = piece_of(b.src[i], p, begin),
                    .add = fused_.add ? columns_of(b.src.back(), p, begin) : nullptr,
                    .y = columns_of(b.dst, p, begin),
                    .x_pitch = p.width,
                    .y_pitch = channels_,
                    .rows = rows,
                    .columns = p.width},
                   affine(b, p), then(), fused_.then.high);
    });
  }

  void backward(const Buffers& b) const override {
    const float* inverse = saved(b) + channels_;
    const Reduction sums =
        reduce(memory(b, work_backward_), rows_, channels_,
               [&](int64_t begin, int64_t end, float* scratch, double* s, double* products) {
                 for (int64_t r = begin; r < end; r += block_rows)
                   for (size_t i = 0; i < pieces_.size(); ++i)
                     add_gradient_sums(gradient_rows(b, i, r, std::min(block_rows, end - r)),
                                       scratch, s + pieces_[i].begin, products + pieces_[i].begin);
               });
    float *diff_weight = b.diff_packed[0].f32(), *diff_bias = b.diff_packed[1].f32();
    float *a = sums.scratch, *slope = a + channels_, *mean = slope + channels_;
    for (int64_t c = 0; c < channels_; ++c) {
      if (diff_weight) diff_weight[c] = static_cast<float>(sums.second[c] * inverse[c]);
      if (diff_bias) diff_bias[c] = static_cast<float>(sums.first[c]);
    }
    const double n = sum_over_all(sums.first, sums.second, channels_);
    for (int64_t c = 0; c < channels_; ++c) {
      const double sum = sums.first[c], product = sums.second[c] * inverse[c];
      const double scale = double{b.packed[0].f32()[c]} * inverse[c];
      a[c] = static_cast<float>(scale);
      slope[c] = batch_statistics_ ? static_cast<float>(product / n * inverse[c]) : 0.0f;
      mean[c] = batch_statistics_ ? static_cast<float>(sum / n) : 0.0f;
    }
    for_blocks([&](const Piece& p, size_t i, int64_t begin, int64_t rows) {
      const GradientRows<T> g = gradient_rows(b, i, begin, rows);
      if (fused_.add && b.diff_src.back().data)
        mask_gradient(g, columns_of(b.diff_src.back(), p, begin), b.add_diff_src.back());
      if (b.diff_src[i].data)
        input_gradient(g, {a + p.begin, slope + p.begin, mean + p.begin},
                       piece_of(b.diff_src[i], p, begin), b.add_diff_src[i]);
    });
  }

  bool backward_reads_dst() const override { return mask_ == Mask::stored; }
  bool can_add_gradient() const override { return true; }
  bool may_overwrite_src() const override { return pieces_.size() == 1; }

 private:
  // Channels [begin, begin + width) of dst, which are all channels of one src.
  struct Piece {
    int64_t begin, width;
    int64_t end() const { return begin + width; }
  };

  float* saved(const Buffers& b) const { return b.at(saved_).f32(); }
  Then then() const {
    return !fused_.then ? Then::nothing : fused_.then.is_relu() ? Then::relu : Then::capped_relu;
  }
  ReductionMemory memory(const Buffers& b, int extra) const { return {b.at(extra).data, team_}; }
  float inverse_deviation(double variance) const {
    return static_cast<float>(1 / std::sqrt(variance + options_.epsilon));
  }
  Affine affine(const Buffers& b, const Piece& p) const {
    const float *mean = saved(b) + p.begin, *scale = mean + 2 * channels_;
    return {mean, scale, b.packed[1].f32() + p.begin};
  }
  // Row `begin` of a buffer that holds one piece, and the piece's columns of one that holds all.
  T* piece_of(const Buffer& b, const Piece& p, int64_t begin) const {
    return b.as<T>() + begin * p.width;
  }
  T* columns_of(const Buffer& b, const Piece& p, int64_t begin) const {
    return b.as<T>() + begin * channels_ + p.begin;
  }
  GradientRows<T> gradient_rows(const Buffers& b, size_t i, int64_t begin, int64_t rows) const {
    const Piece& p = pieces_[i];
    return {.mask = mask_,
            .cap = fused_.then.high,
            .dy = columns_of(b.diff_dst, p, begin),
            .x = piece_of(b.src[i], p, begin),
            .y = columns_of(b.dst, p, begin),
            .affine = affine(b, p),
            .x_pitch = p.width,
            .y_pitch = channels_,
            .rows = rows,
            .columns = p.width};
  }

  // body(piece, its index, first row, rows), in blocks of rows.
  template <class Body>
  void for_blocks(const Body& body) const {
    parallel_ranges(rows_, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; r += block_rows)
        for (size_t i = 0; i < pieces_.size(); ++i)
          body(pieces_[i], i, r, std::min(block_rows, end - r));
    });
  }

  // Makes sums over this process's rows those over all processes'; returns the number of all rows.
  double sum_over_all(double* first, double* second, int64_t width) const {
    if (!reduce_) return static_cast<double>(rows_);
    std::vector<double> sums = {static_cast<double>(rows_)};
    sums.insert(sums.end(), first, first + width);
    sums.insert(sums.end(), second, second + width);
    reduce_(sums);
    std::copy_n(sums.begin() + 1, width, first);
    std::copy_n(sums.begin() + 1 + width, width, second);
    return sums[0];
  }

  // The same for moments: back to sums of values and squares, in f64, and to moments of all rows.
  double moments_over_all(double* means, double* variances, int64_t width) const {
    if (!reduce_) return static_cast<double>(rows_);
    const auto own = static_cast<double>(rows_);
    for (int64_t c = 0; c < width; ++c) {
      variances[c] = own * (variances[c] + means[c] * means[c]);
      means[c] *= own;
    }
    const double n = sum_over_all(means, variances, width);
    for (int64_t c = 0; c < width; ++c) {
      means[c] /= n;
      variances[c] = std::max(0.0, variances[c] / n - means[c] * means[c]);
    }
    return n;
  }

  // Mean and 1/sqrt(var + eps) of each channel from the batch; updates the running statistics.
  void use_batch_statistics(const Buffers& b, float* mean, float* inverse) const {
    const double k = options_.momentum;
    double n = static_cast<double>(rows_);
    float *running_mean = b.packed[2].f32(), *running_var = b.packed[3].f32();
    for (size_t i = 0; i < pieces_.size(); ++i) {
      const Piece& p = pieces_[i];
      const double *means, *variances;
      if (shared_) {
        means = b.src[pieces_.size() + i].template as<double>();
        variances = means + p.width;
      } else {
        const Reduction r =
            batch_moments(b.src[i].template as<T>(), rows_, p.width, memory(b, work_forward_));
        n = moments_over_all(r.first, r.second, p.width);
        means = r.first;
        variances = r.second;
      }
      for (int64_t c = 0; c < p.width; ++c) {
        const int64_t at = p.begin + c;
        mean[at] = static_cast<float>(means[c]);
        inverse[at] = inverse_deviation(variances[c]);
        const double unbiased = variances[c] * n / std::max(1.0, n - 1);
        running_mean[at] =
            static_cast<float>((1 - k) * static_cast<double>(running_mean[at]) + k * means[c]);
        running_var[at] =
            static_cast<float>((1 - k) * static_cast<double>(running_var[at]) + k * unbiased);
      }
    }
  }

  BatchNormOptions options_;
  BatchNorm::Fused fused_;
  Mask mask_ = Mask::none;
  bool batch_statistics_, shared_ = false;
  std::function<void(std::span<double>)> reduce_;
  int64_t rows_, channels_, team_;
  std::vector<Piece> pieces_;
  int saved_ = 0, work_forward_ = 0, work_backward_ = 0;
};

// Inference: relu(norm(pieces)) as 8-bit values, ready for an int8 convolution. A cap lies beyond
// what they can hold: no measured value was above it.
template <class T>
class QuantisingBatchNormKernel : public Kernel {
 public:
  QuantisingBatchNormKernel(const BatchNorm& op, KernelBuilder& b)
      : epsilon_(op.options().epsilon),
        inverse_scale_(1 / b.scale),
        rows_(count(b.dst_shape) / b.dst_shape[1]),
        channels_(op.channels()) {
    for (int i = 0; i < op.fused().pieces; ++i)
      widths_.push_back(b.src_shapes[static_cast<size_t>(i)][1]);
    affine_ = b.temporary(onednn::flat(2 * channels_), false);
  }

  void forward(const Buffers& b) const override {
    float *scale = b.at(affine_).f32(), *bias = scale + channels_;
    for (int64_t c = 0; c < channels_; ++c) {
      const double deviation = std::sqrt(double{b.packed[3].f32()[c]} + epsilon_);
      const double s = b.packed[0].f32()[c] / deviation * inverse_scale_;
      scale[c] = static_cast<float>(s);
      bias[c] = static_cast<float>(double{b.packed[1].f32()[c]} * inverse_scale_ -
                                   b.packed[2].f32()[c] * s);
    }
    parallel_ranges(rows_, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; r += block_rows) {
        int64_t c = 0;
        for (size_t i = 0; i < widths_.size(); c += widths_[i++])
          quantise_rows<T>({.x = b.src[i].as<T>() + r * widths_[i],
                            .y = b.dst.as<uint8_t>() + r * channels_ + c,
                            .scale = scale + c,
                            .bias = bias + c,
                            .y_pitch = channels_,
                            .rows = std::min(block_rows, end - r),
                            .columns = widths_[i]});
      }
    });
  }
  void backward(const Buffers&) const override { fail("int8 is for inference alone"); }

 private:
  double epsilon_;
  double inverse_scale_;
  int64_t rows_, channels_;
  std::vector<int64_t> widths_;
  int affine_;
};

}  // namespace

std::unique_ptr<Kernel> BatchNorm::compile(KernelBuilder& builder) const {
  if (builder.dtype == DType::u8)
    return make_kernel<QuantisingBatchNormKernel>(builder.src_dtypes[0], *this, builder);
  return make_kernel<BatchNormKernel>(builder.dtype, *this, builder);
}

namespace {

template <class T>
class BatchMomentsKernel : public Kernel {
 public:
  explicit BatchMomentsKernel(KernelBuilder& b)
      : rows_(count(b.src_shapes[0]) / b.src_shapes[0][1]),
        channels_(b.src_shapes[0][1]),
        team_(threads()) {
    work_ = b.temporary(onednn::bytes(reduction_bytes(team_, channels_)), false);
  }
  void forward(const Buffers& b) const override {
    const Reduction moments =
        batch_moments(b.src[0].as<T>(), rows_, channels_, {b.at(work_).data, team_});
    std::copy(moments.first, moments.first + channels_, b.dst.as<double>());
    std::copy(moments.second, moments.second + channels_, b.dst.as<double>() + channels_);
  }
  void backward(const Buffers&) const override {}
  bool backward_reads_src() const override { return false; }

 private:
  int64_t rows_, channels_, team_;
  int work_;
};

}  // namespace

std::unique_ptr<Kernel> BatchMoments::compile(KernelBuilder& builder) const {
  return make_kernel<BatchMomentsKernel>(builder.src_dtypes[0], builder);
}

Value batch_norm(const Scope& scope, Value src, const BatchNormOptions& options) {
  return src.graph->append({.name = scope.path,
                            .op = std::make_shared<BatchNorm>(src.channels(), options),
                            .src = {src},
                            .channels = src.channels(),
                            .positions = src.graph->node(src.node).positions});
}

}  // namespace limbic
