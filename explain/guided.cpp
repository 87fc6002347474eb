#include "limbic/explain/guided.h"

#include <algorithm>

#include "limbic/core/error.h"
#include "limbic/core/parallel.h"
#include "limbic/nn/graph/kernel.h"

namespace limbic::explain {
namespace {

class GuidedKernel : public Kernel {
 public:
  GuidedKernel(float high, int64_t n) : high_(high), n_(n) {}

  // A comparison with NaN is false: values and gradients that are NaN go through.
  void forward(const Buffers& b) const override {
    const float* x = b.src[0].f32();
    float* y = b.dst.f32();
    parallel_for(n_, [&](int64_t i) { y[i] = x[i] < 0 ? 0 : x[i] > high_ ? high_ : x[i]; });
  }
  void backward(const Buffers& b) const override {
    const float *y = b.dst.f32(), *dy = b.diff_dst.f32();
    float* dx = b.diff_src[0].f32();
    parallel_for(n_,
                 [&](int64_t i) { dx[i] = y[i] <= 0 || y[i] >= high_ || dy[i] < 0 ? 0 : dy[i]; });
  }
  bool backward_reads_src() const override { return false; }
  bool backward_reads_dst() const override { return true; }
  bool may_overwrite_src() const override { return true; }

 private:
  float high_;
  int64_t n_;
};

class GuidedRelu : public Op {
 public:
  explicit GuidedRelu(float high) : high_(high) {}
  const char* type() const override { return "guided_relu"; }
  Shape infer(std::span<const Shape> src) const override { return src[0]; }
  std::unique_ptr<Kernel> compile(KernelBuilder& builder) const override {
    return std::make_unique<GuidedKernel>(high_, count(builder.dst_shape));
  }

 private:
  float high_;
};

}  // namespace

Graph guided(const Graph& graph) {
  Graph out;
  PerNode<std::optional<int>> same(graph.size());
  bool found = false;
  for (int n = 0; n < graph.size(); ++n) {
    Node node = graph.node(n);
    const Activation activation = node.op ? node.op->as_activation() : Activation{};
    if (activation.is_clamp() && activation.low == 0) {
      node.op = std::make_shared<GuidedRelu>(activation.high);
      found = true;
    }
    same[n] = out.append_node(std::move(node));
  }
  require(found, "guided-gradient: the network has no ReLU that could guide it");
  out.take_names(graph, same);
  return out;
}

}  // namespace limbic::explain
