#include "limbic/nn/ops/dropout.h"

#include "limbic/core/parallel.h"
#include "limbic/nn/ops/elementwise.h"

namespace limbic {
namespace {

template <class T>
class DropoutKernel : public Kernel {
 public:
  DropoutKernel(double probability, const KernelBuilder& b)
      : threshold_(static_cast<uint32_t>(probability * 0x1p32)),
        scale_(static_cast<float>(1 / (1 - probability))),
        active_(b.dropout && probability > 0),
        key_(b.node_key),
        n_(count(b.dst_shape)) {}

  void forward(const Buffers& b) const override { apply(b, b.src[0].as<T>(), b.dst.as<T>()); }
  // The mask is computed again rather than stored.
  void backward(const Buffers& b) const override {
    apply(b, b.diff_dst.as<T>(), b.diff_src[0].as<T>());
  }
  bool backward_reads_src() const override { return false; }
  bool may_overwrite_src() const override { return true; }

 private:
  void apply(const Buffers& b, const T* in, T* out) const {
    if (!active_) {
      if (in != out) copy_to(out, in, n_);
      return;
    }
    const uint64_t key = combine(b.run->seed, key_);
    parallel_for((n_ + 3) / 4, [&](int64_t block) {
      const auto words = philox(key, b.run->step, static_cast<uint64_t>(block));
      for (int64_t i = 0; i < 4 && block * 4 + i < n_; ++i) {
        const int64_t at = block * 4 + i;
        const bool dropped = words[static_cast<size_t>(i)] < threshold_;
        out[at] = from_f32<T>(to_f32(in[at]) * (dropped ? 0.0f : scale_));  // NaN stays
      }
    });
  }

  uint32_t threshold_;
  float scale_;
  bool active_;
  uint64_t key_;
  int64_t n_;
};

}  // namespace

std::unique_ptr<Kernel> Dropout::compile(KernelBuilder& builder) const {
  return make_kernel<DropoutKernel>(builder.dtype, probability_, builder);
}

Value dropout(Value src, double probability) {
  const Node& node = src.graph->node(src.node);
  return src.graph->append({.name = node.name + ".dropout",
                            .op = std::make_shared<Dropout>(probability),
                            .src = {src},
                            .channels = node.channels,
                            .positions = node.positions});
}

}  // namespace limbic
