#include "limbic/nn/ops/relu.h"

#include "limbic/core/parallel.h"
#include "limbic/core/simd.h"
#include "limbic/nn/ops/elementwise.h"

namespace limbic {
namespace {

template <class T>
LIMBIC_MULTIVERSION void clamp(const T* x, T* y, float cap, int64_t n) {
  LIMBIC_INDEPENDENT
  for (int64_t i = 0; i < n; ++i) {
    // A comparison with NaN is false: written this way round, NaN goes through.
    const float v = to_f32(x[i]), positive = v < 0 ? 0.0f : v;
    y[i] = from_f32<T>(positive > cap ? cap : positive);
  }
}

template <class T>
LIMBIC_MULTIVERSION void pass(const T* __restrict dy, const T* __restrict y, T* __restrict dx,
                              float cap, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const float v = to_f32(y[i]);
    dx[i] = from_f32<T>(v <= 0 || v >= cap ? 0.0f : to_f32(dy[i]));
  }
}

template <class T>
class ReluKernel : public Kernel {
 public:
  ReluKernel(float cap, int64_t n) : cap_(cap), n_(n) {}
  void forward(const Buffers& b) const override {
    parallel_ranges(n_, [&](int64_t begin, int64_t end) {
      clamp(b.src[0].as<T>() + begin, b.dst.as<T>() + begin, cap_, end - begin);
    });
  }
  void backward(const Buffers& b) const override {
    T* dx = b.diff_src[0].as<T>();
    parallel_ranges(n_, [&](int64_t begin, int64_t end) {
      pass(b.diff_dst.as<T>() + begin, b.dst.as<T>() + begin, dx + begin, cap_, end - begin);
    });
  }
  bool backward_reads_src() const override { return false; }
  bool backward_reads_dst() const override { return true; }
  bool may_overwrite_src() const override { return true; }

 private:
  float cap_;
  int64_t n_;
};

Value append_relu(Value src, float cap) {
  const Node& node = src.graph->node(src.node);
  return src.graph->append({.name = node.name + (cap == 6.0f ? ".relu6" : ".relu"),
                            .op = std::make_shared<Relu>(cap),
                            .src = {src},
                            .channels = node.channels,
                            .positions = node.positions});
}

}  // namespace

std::unique_ptr<Kernel> Relu::compile(KernelBuilder& builder) const {
  return make_kernel<ReluKernel>(builder.dtype, cap_, count(builder.dst_shape));
}

Value relu(Value src) { return append_relu(src, std::numeric_limits<float>::infinity()); }
Value relu6(Value src) { return append_relu(src, 6.0f); }

}  // namespace limbic
