#include "nn/ops/add.h"

#include "nn/core/parallel.h"
#include "nn/core/simd.h"
#include "nn/kernel.h"
#include "nn/ops/elementwise.h"

namespace limbic {

Shape Add::infer(std::span<const Shape> src) const {
  require(src[0] == src[1], "cannot add ", to_string(src[1]), " to ", to_string(src[0]));
  return src[0];
}

namespace {

LIMBIC_MULTIVERSION void sum(const float* a, const float* b, float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = a[i] + b[i];
}

class AddKernel : public Kernel {
 public:
  explicit AddKernel(int64_t n) : n_(n) {}
  void forward(const Buffers& b) const override {
    parallel_ranges(n_, [&](int64_t begin, int64_t end) {
      sum(b.src[0].f32() + begin, b.src[1].f32() + begin, b.dst.f32() + begin, end - begin);
    });
  }
  void backward(const Buffers& b) const override {
    for (const Buffer& diff : b.diff_src)
      if (diff.data) copy_to(diff.f32(), b.diff_dst.f32(), n_);
  }
  bool backward_reads_src() const override { return false; }
  bool may_overwrite_src() const override { return true; }

 private:
  int64_t n_;
};

}  // namespace

std::unique_ptr<Kernel> Add::compile(KernelBuilder& builder) const {
  return std::make_unique<AddKernel>(count(builder.dst_shape));
}

Value add(Value a, Value b) {
  const Node& node = a.graph->node(a.node);
  return a.graph->append({.name = node.name + ".add",
                          .op = std::make_shared<Add>(),
                          .src = {a, b},
                          .channels = node.channels,
                          .positions = node.positions});
}

}  // namespace limbic
