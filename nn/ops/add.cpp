#include "limbic/nn/ops/add.h"

#include "limbic/core/parallel.h"
#include "limbic/core/simd.h"
#include "limbic/nn/ops/elementwise.h"

namespace limbic {

Shape Add::infer(std::span<const Shape> src) const {
  require(src[0] == src[1], "cannot add ", to_string(src[1]), " to ", to_string(src[0]));
  return src[0];
}

namespace {

template <class T>
LIMBIC_MULTIVERSION void sum(const T* a, const T* b, T* y, int64_t n) {
  LIMBIC_INDEPENDENT
  for (int64_t i = 0; i < n; ++i) y[i] = from_f32<T>(to_f32(a[i]) + to_f32(b[i]));
}

template <class T>
class AddKernel : public Kernel {
 public:
  explicit AddKernel(int64_t n) : n_(n) {}
  void forward(const Buffers& b) const override {
    parallel_ranges(n_, [&](int64_t begin, int64_t end) {
      sum(b.src[0].as<T>() + begin, b.src[1].as<T>() + begin, b.dst.as<T>() + begin, end - begin);
    });
  }
  void backward(const Buffers& b) const override {
    for (size_t i = 0; i < 2; ++i) {
      T* dx = b.diff_src[i].as<T>();
      if (!dx) continue;
      if (b.add_diff_src[i])
        add_to(dx, b.diff_dst.as<T>(), n_);
      else
        copy_to(dx, b.diff_dst.as<T>(), n_);
    }
  }
  bool backward_reads_src() const override { return false; }
  bool can_add_gradient() const override { return true; }
  bool may_overwrite_src() const override { return true; }

 private:
  int64_t n_;
};

}  // namespace

std::unique_ptr<Kernel> Add::compile(KernelBuilder& builder) const {
  return make_kernel<AddKernel>(builder.dtype, count(builder.dst_shape));
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
