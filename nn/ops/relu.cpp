#include "nn/ops/relu.h"

#include "nn/core/parallel.h"
#include "nn/core/simd.h"
#include "nn/kernel.h"

namespace limbic {
namespace {

LIMBIC_MULTIVERSION void clamp(const float* x, float* y, float cap, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const float v = x[i] > 0 ? x[i] : 0.0f;
    y[i] = v < cap ? v : cap;
  }
}

LIMBIC_MULTIVERSION void pass(const float* __restrict dy, const float* __restrict y,
                              float* __restrict dx, float cap, int64_t n) {
  for (int64_t i = 0; i < n; ++i) dx[i] = y[i] > 0 && y[i] < cap ? dy[i] : 0.0f;
}

class ReluKernel : public Kernel {
 public:
  ReluKernel(float cap, int64_t n) : cap_(cap), n_(n) {}
  void forward(const Buffers& b) const override {
    parallel_ranges(n_, [&](int64_t begin, int64_t end) {
      clamp(b.src[0].f32() + begin, b.dst.f32() + begin, cap_, end - begin);
    });
  }
  void backward(const Buffers& b) const override {
    float* dx = b.diff_src[0].f32();
    parallel_ranges(n_, [&](int64_t begin, int64_t end) {
      pass(b.diff_dst.f32() + begin, b.dst.f32() + begin, dx + begin, cap_, end - begin);
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
  return std::make_unique<ReluKernel>(cap_, count(builder.dst_shape));
}

Value relu(Value src) { return append_relu(src, std::numeric_limits<float>::infinity()); }
Value relu6(Value src) { return append_relu(src, 6.0f); }

}  // namespace limbic
