#include "limbic/nn/ops/few_rows.h"

#include "limbic/core/parallel.h"
#include "limbic/core/simd.h"

namespace limbic {
namespace {

// dst (samples,out) = src (samples,in) weights' + bias
struct Product {
  int64_t samples = 0, in = 0, out = 0;
  const float *src = nullptr, *weights = nullptr, *bias = nullptr;
  float* dst = nullptr;
};

// Sixteen sums side by side, whatever the processor's vectors: the same order on all of them.
using Lanes [[gnu::vector_size(64), gnu::aligned(4), gnu::may_alias]] = float;
constexpr int64_t lanes = 16;

// `rows` rows of the weights from `row` on, with all samples.
template <int samples, int rows>
[[gnu::always_inline]] inline void dots(const Product& g, int64_t row) {
  const float* w = g.weights + row * g.in;
  const int64_t whole = g.in / lanes * lanes;
  Lanes sum[rows][samples] = {};
  for (int64_t k = 0; k < whole; k += lanes) {
    Lanes x[samples];
    for (int s = 0; s < samples; ++s) x[s] = *reinterpret_cast<const Lanes*>(g.src + s * g.in + k);
    for (int r = 0; r < rows; ++r) {
      const Lanes v = *reinterpret_cast<const Lanes*>(w + r * g.in + k);
      for (int s = 0; s < samples; ++s) sum[r][s] += v * x[s];
    }
  }
  for (int r = 0; r < rows; ++r)
    for (int s = 0; s < samples; ++s) {
      float total = g.bias ? g.bias[row + r] : 0;
      for (int64_t l = 0; l < lanes; ++l) total += sum[r][s][l];
      for (int64_t k = whole; k < g.in; ++k) total += w[r * g.in + k] * g.src[s * g.in + k];
      g.dst[s * g.out + row + r] = total;
    }
}

template <int samples>
[[gnu::always_inline]] inline void rows_between(const Product& g, int64_t begin, int64_t end) {
  constexpr int rows = samples == 1 ? 4 : 2;  // sums in registers, streams that are fetched ahead
  for (; begin + rows <= end; begin += rows) dots<samples, rows>(g, begin);
  for (; begin < end; ++begin) dots<samples, 1>(g, begin);
}

LIMBIC_MULTIVERSION void multiply(const Product& g, int64_t begin, int64_t end) {
  static_assert(few_rows == 4);
  if (g.samples == 1) return rows_between<1>(g, begin, end);
  if (g.samples == 2) return rows_between<2>(g, begin, end);
  if (g.samples == 3) return rows_between<3>(g, begin, end);
  rows_between<4>(g, begin, end);
}

class FewRows : public Kernel {
 public:
  FewRows(const KernelBuilder& b, bool has_bias)
      : shape_{.samples = b.src_shapes[0][0], .in = b.src_shapes[0][1], .out = b.dst_shape[1]},
        has_bias_(has_bias) {}

  void forward(const Buffers& b) const override {
    Product g = shape_;
    g.src = b.src[0].f32();
    g.weights = b.packed[0].f32();
    g.bias = has_bias_ ? b.packed[1].f32() : nullptr;
    g.dst = b.dst.f32();
    parallel_ranges(g.out, [&](int64_t begin, int64_t end) { multiply(g, begin, end); });
  }
  void backward(const Buffers&) const override {}

 private:
  Product shape_;
  bool has_bias_;
};

}  // namespace

std::unique_ptr<Kernel> linear_of_few_rows(const KernelBuilder& builder, bool has_bias) {
  return std::make_unique<FewRows>(builder, has_bias);
}

}  // namespace limbic
