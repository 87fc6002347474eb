#include "limbic/nn/ops/local_response_norm.h"

#include <algorithm>
#include <cmath>

#include "limbic/core/parallel.h"
#include "limbic/core/simd.h"
#include "limbic/nn/ops/elementwise.h"

namespace limbic {
namespace {

// Channels at once, in f32 on the stack.
constexpr int64_t block = 512;

// A row's channels [begin, begin + n), and which neighbours of each count.
struct Window {
  int64_t channels, begin, n, before, behind;
};

template <class T>
LIMBIC_MULTIVERSION void add_squares(const T* __restrict x, float* __restrict sum, int64_t n) {
  for (int64_t c = 0; c < n; ++c) sum[c] += to_f32(x[c]) * to_f32(x[c]);
}
LIMBIC_MULTIVERSION void add_values(const float* __restrict x, float* __restrict sum, int64_t n) {
  for (int64_t c = 0; c < n; ++c) sum[c] += x[c];
}

// sum[i] = over the neighbours of channel begin + i that exist: add(their row, sum, how many).
template <class T, class Add>
void sum_neighbours(const T* row, const Window& w, float* sum, const Add& add) {
  std::fill_n(sum, w.n, 0.0f);
  for (int64_t o = -w.before; o <= w.behind; ++o) {
    const int64_t first = std::max(w.begin, -o);
    const int64_t last = std::min(w.begin + w.n, w.channels - o);
    if (first < last) add(row + first + o, sum + (first - w.begin), last - first);
  }
}

// power[c] = (k + factor sum[c])^-beta; sum becomes k + factor sum.
LIMBIC_MULTIVERSION void raise(float* __restrict sum, float* __restrict power, float k,
                               float factor, float beta, int64_t n) {
  for (int64_t c = 0; c < n; ++c) sum[c] = k + factor * sum[c];
  if (beta == 0.75f)
    for (int64_t c = 0; c < n; ++c) {
      const float root = std::sqrt(sum[c]);
      power[c] = 1 / (root * std::sqrt(root));
    }
  else
    for (int64_t c = 0; c < n; ++c) power[c] = std::pow(sum[c], -beta);
}

template <class T>
class LocalResponseNormKernel : public Kernel {
 public:
  LocalResponseNormKernel(const LocalResponseNormOptions& o, KernelBuilder& b)
      : shape_(rows_columns(b.dst_shape)),
        before_(std::min(o.size / 2, shape_.columns)),
        behind_(std::min((o.size - 1) / 2, shape_.columns)),
        k_(static_cast<float>(o.k)),
        factor_(static_cast<float>(o.alpha / static_cast<double>(o.size))),
        beta_(static_cast<float>(o.beta)) {
    if (b.gradients) ratio_ = b.temporary(onednn::flat(shape_.rows * shape_.columns), true);
  }

  void forward(const Buffers& b) const override {
    for_blocks([&](int64_t row, int64_t begin, int64_t n) {
      const T* x = b.src[0].as<T>() + row;
      T* y = b.dst.as<T>() + row + begin;
      float sum[block], power[block];
      find_power(x, begin, n, sum, power);
      for (int64_t c = 0; c < n; ++c) y[c] = from_f32<T>(to_f32(x[begin + c]) * power[c]);
    });
  }

  void backward(const Buffers& b) const override {
    float* ratio = b.at(ratio_).f32();  // diff_dst src s^(-beta-1)
    for_blocks([&](int64_t row, int64_t begin, int64_t n) {
      const T *x = b.src[0].as<T>() + row, *dy = b.diff_dst.as<T>() + row + begin;
      float sum[block], power[block];
      find_power(x, begin, n, sum, power);
      for (int64_t c = 0; c < n; ++c)
        ratio[row + begin + c] = to_f32(dy[c]) * to_f32(x[begin + c]) * power[c] / sum[c];
    });
    for_blocks([&](int64_t row, int64_t begin, int64_t n) {
      const T *x = b.src[0].as<T>() + row, *dy = b.diff_dst.as<T>() + row + begin;
      T* dx = b.diff_src[0].as<T>() + row + begin;
      float sum[block], power[block], ratios[block];
      find_power(x, begin, n, sum, power);
      sum_neighbours(ratio + row, {shape_.columns, begin, n, behind_, before_}, ratios, add_values);
      for (int64_t c = 0; c < n; ++c)
        dx[c] = from_f32<T>(to_f32(dy[c]) * power[c] -
                            2 * factor_ * beta_ * to_f32(x[begin + c]) * ratios[c]);
    });
  }

 private:
  // body(where the row begins, its first channel, how many).
  template <class Body>
  void for_blocks(const Body& body) const {
    parallel_for(shape_.rows, [&](int64_t r) {
      for (int64_t c = 0; c < shape_.columns; c += block)
        body(r * shape_.columns, c, std::min(block, shape_.columns - c));
    });
  }

  void find_power(const T* x, int64_t begin, int64_t n, float* sum, float* power) const {
    sum_neighbours(x, {shape_.columns, begin, n, before_, behind_}, sum, add_squares<T>);
    raise(sum, power, k_, factor_, beta_, n);
  }

  RowsColumns shape_;
  int64_t before_, behind_;
  float k_, factor_, beta_;
  int ratio_ = -1;
};

}  // namespace

Shape LocalResponseNorm::infer(std::span<const Shape> src) const {
  require(src[0].size() == 4, "expected src (N,C,H,W), got ", to_string(src[0]));
  return src[0];
}

std::unique_ptr<Kernel> LocalResponseNorm::compile(KernelBuilder& builder) const {
  return make_kernel<LocalResponseNormKernel>(builder.dtype, options_, builder);
}

Value local_response_norm(Value src, const LocalResponseNormOptions& options) {
  const Node& node = src.graph->node(src.node);
  return src.graph->append({.name = node.name + ".local_response_norm",
                            .op = std::make_shared<LocalResponseNorm>(options),
                            .src = {src},
                            .channels = node.channels,
                            .positions = node.positions});
}

}  // namespace limbic
