#include "limbic/nn/ops/concat.h"

#include <cstring>

#include "limbic/core/parallel.h"
#include "limbic/nn/ops/elementwise.h"

namespace limbic {

Shape Concat::infer(std::span<const Shape> src) const {
  Shape out = src[0];
  for (size_t i = 1; i < src.size(); ++i) {
    Shape same = src[i];
    require(same.size() == out.size(), "cannot join ", to_string(src[i]), " to ",
            to_string(src[0]));
    same[1] = out[1];
    require(same == out, "cannot join ", to_string(src[i]), " to ", to_string(src[0]));
    out[1] += src[i][1];
  }
  return out;
}

namespace {

template <class T>
class ConcatKernel : public Kernel {
 public:
  explicit ConcatKernel(const KernelBuilder& b) : extent_(rows_columns(b.dst_shape)) {
    for (const Shape& s : b.src_shapes) widths_.push_back(s[1]);
  }
  void forward(const Buffers& b) const override {
    parallel_for(extent_.rows, [&](int64_t r) {
      T* out = b.dst.as<T>() + r * extent_.columns;
      for (size_t i = 0; i < widths_.size(); out += widths_[i++])
        std::memcpy(out, b.src[i].as<T>() + r * widths_[i],
                    static_cast<size_t>(widths_[i]) * sizeof(T));
    });
  }
  void backward(const Buffers& b) const override {
    parallel_for(extent_.rows, [&](int64_t r) {
      const T* dy = b.diff_dst.as<T>() + r * extent_.columns;
      for (size_t i = 0; i < widths_.size(); dy += widths_[i++])
        if (T* dx = b.diff_src[i].as<T>())
          std::memcpy(dx + r * widths_[i], dy, static_cast<size_t>(widths_[i]) * sizeof(T));
    });
  }
  bool backward_reads_src() const override { return false; }

 private:
  RowsColumns extent_;
  std::vector<int64_t> widths_;
};

}  // namespace

std::unique_ptr<Kernel> Concat::compile(KernelBuilder& builder) const {
  return make_kernel<ConcatKernel>(builder.dtype, builder);
}

Value concat(const std::vector<Value>& values) {
  require(!values.empty(), "concat of nothing");
  if (values.size() == 1) return values[0];
  int64_t channels = 0;
  for (const Value& v : values) channels += v.channels();
  const Value& last = values.back();
  return last.graph->append({.name = last.graph->node(last.node).name + ".concat",
                             .op = std::make_shared<Concat>(),
                             .src = values,
                             .channels = channels});
}

}  // namespace limbic
