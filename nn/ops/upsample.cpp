#include "limbic/nn/ops/upsample.h"

#include <algorithm>
#include <cmath>

#include "limbic/core/parallel.h"
#include "limbic/core/simd.h"
#include "limbic/nn/ops/elementwise.h"

namespace limbic {
namespace {

// What is summed for each position of one axis: positions to read, and what they weigh.
struct Tap {
  int64_t at;
  float weight;
};
using Axis = std::vector<std::vector<Tap>>;

Axis axis_of(int64_t size, int64_t scale, UpsampleOptions::Mode mode) {
  Axis out(static_cast<size_t>(size * scale));
  for (int64_t i = 0; i < size * scale; ++i) {
    auto& taps = out[static_cast<size_t>(i)];
    if (mode == UpsampleOptions::Mode::nearest) {
      taps = {{i / scale, 1.0f}};
      continue;
    }
    const double at =
        std::max(0.0, (static_cast<double>(i) + 0.5) / static_cast<double>(scale) - 0.5);
    const auto first = static_cast<int64_t>(at);
    const auto second = static_cast<float>(at - std::floor(at));
    // No pixel weighs 0: an infinite one would make NaN of it.
    if (first + 1 == size || second == 0)
      taps = {{first, 1.0f}};
    else
      taps = {{first, 1 - second}, {first + 1, second}};
  }
  return out;
}

// Which outputs read each input, and how much.
Axis transposed(const Axis& axis, int64_t size) {
  Axis out(static_cast<size_t>(size));
  for (size_t i = 0; i < axis.size(); ++i)
    for (const Tap& tap : axis[i])
      out[static_cast<size_t>(tap.at)].push_back({static_cast<int64_t>(i), tap.weight});
  return out;
}

template <class T>
LIMBIC_MULTIVERSION void accumulate(const T* __restrict x, float* __restrict y, float weight,
                                    int64_t n) {
  for (int64_t c = 0; c < n; ++c) y[c] += weight * to_f32(x[c]);
}

constexpr int64_t channel_block = 512;  // summed at once, in f32 on the stack

// to(n,y,x,:) = the weighted sum over rows[y] and columns[x] of from(n,...,:), channels last.
template <class T>
void gather(const T* from, T* to, const Shape& from_shape, const Axis& rows, const Axis& columns) {
  const int64_t channels = from_shape[1], height = from_shape[2], width = from_shape[3];
  parallel_for(from_shape[0] * std::ssize(rows), [&](int64_t i) {
    const T* image = from + i / std::ssize(rows) * height * width * channels;
    T* out = to + i * std::ssize(columns) * channels;
    float acc[channel_block];
    for (const auto& column : columns)
      for (int64_t c = 0; c < channels; c += channel_block) {
        const int64_t n = std::min(channel_block, channels - c);
        std::fill(acc, acc + n, 0.0f);
        for (const Tap& y : rows[static_cast<size_t>(i % std::ssize(rows))])
          for (const Tap& x : column)
            accumulate(image + (y.at * width + x.at) * channels + c, acc, y.weight * x.weight, n);
        for (int64_t k = 0; k < n; ++k) *out++ = from_f32<T>(acc[k]);
      }
  });
}

// Backward is the same sum, along the axes transposed.
template <class T>
class UpsampleKernel : public Kernel {
 public:
  UpsampleKernel(const UpsampleOptions& o, const KernelBuilder& b)
      : src_(b.src_shapes[0]),
        dst_(b.dst_shape),
        rows_(axis_of(src_[2], o.scale.h, o.mode)),
        columns_(axis_of(src_[3], o.scale.w, o.mode)),
        back_rows_(transposed(rows_, src_[2])),
        back_columns_(transposed(columns_, src_[3])) {}
  void forward(const Buffers& b) const override {
    gather(b.src[0].as<T>(), b.dst.as<T>(), src_, rows_, columns_);
  }
  void backward(const Buffers& b) const override {
    gather(b.diff_dst.as<T>(), b.diff_src[0].as<T>(), dst_, back_rows_, back_columns_);
  }
  bool backward_reads_src() const override { return false; }

 private:
  Shape src_, dst_;
  Axis rows_, columns_, back_rows_, back_columns_;
};

}  // namespace

Upsample::Upsample(const UpsampleOptions& options) : options_(options) {
  const auto fits = [](int64_t scale) { return scale >= 1 && scale <= 4096; };
  require(fits(options.scale.h) && fits(options.scale.w),
          "upsample: scale must be from 1 to 4096, got ", options.scale.h, "x", options.scale.w);
}

Shape Upsample::infer(std::span<const Shape> src) const {
  require(src[0].size() == 4, "expected src (N,C,H,W), got ", to_string(src[0]));
  return {src[0][0], src[0][1], src[0][2] * options_.scale.h, src[0][3] * options_.scale.w};
}

std::unique_ptr<Kernel> Upsample::compile(KernelBuilder& builder) const {
  return make_kernel<UpsampleKernel>(builder.dtype, options_, builder);
}

Value upsample(Value src, const UpsampleOptions& options) {
  const Node& node = src.graph->node(src.node);
  return src.graph->append({.name = node.name + ".upsample",
                            .op = std::make_shared<Upsample>(options),
                            .src = {src},
                            .channels = node.channels,
                            .positions = node.positions * options.scale.h * options.scale.w});
}

}  // namespace limbic
