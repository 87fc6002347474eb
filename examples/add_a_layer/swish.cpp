#include "examples/add_a_layer/swish.h"

#include <cmath>

#include "limbic/core/parallel.h"
#include "limbic/nn/graph/kernel.h"

namespace limbic {
namespace {

float sigmoid(float x) { return 1 / (1 + std::exp(-x)); }

class SwishKernel : public Kernel {
 public:
  explicit SwishKernel(int64_t n) : n_(n) {}

  void forward(const Buffers& b) const override {
    const float* x = b.src[0].f32();
    float* y = b.dst.f32();
    parallel_for(n_, [&](int64_t i) { y[i] = x[i] * sigmoid(x[i]); });
  }

  void backward(const Buffers& b) const override {
    const float *x = b.src[0].f32(), *dy = b.diff_dst.f32();
    float* dx = b.diff_src[0].f32();
    parallel_for(n_, [&](int64_t i) {
      const float s = sigmoid(x[i]);
      dx[i] = dy[i] * s * (1 + x[i] * (1 - s));
    });
  }

  bool backward_reads_src() const override { return true; }
  bool may_overwrite_src() const override { return true; }

 private:
  int64_t n_;
};

}  // namespace

std::unique_ptr<Kernel> Swish::compile(KernelBuilder& builder) const {
  return std::make_unique<SwishKernel>(count(builder.dst_shape));
}

Value swish(Value src) {
  const Node& node = src.graph->node(src.node);
  return src.graph->append({.name = node.name + ".swish",
                            .op = std::make_shared<Swish>(),
                            .src = {src},
                            .channels = node.channels,
                            .positions = node.positions});
}

}  // namespace limbic
