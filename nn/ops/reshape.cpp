#include "limbic/nn/ops/reshape.h"

#include <algorithm>
#include <cstring>

#include "limbic/core/parallel.h"
#include "limbic/nn/ops/elementwise.h"

namespace limbic {

Shape Flatten::infer(std::span<const Shape> src) const {
  require(src[0].size() >= 2, "expected src (N,C,...), got ", to_string(src[0]));
  return {src[0][0], count(src[0]) / src[0][0]};
}

Shape StridedSlicePad::infer(std::span<const Shape> src) const {
  require(src[0].size() == 4, "expected src (N,C,H,W), got ", to_string(src[0]));
  const auto& [stride, before, after] = options_;
  return {src[0][0], before + src[0][1] + after, (src[0][2] + stride.h - 1) / stride.h,
          (src[0][3] + stride.w - 1) / stride.w};
}

namespace {

template <class T>
class FlattenKernel : public Kernel {
 public:
  explicit FlattenKernel(const Shape& src)
      : images_(src[0]), channels_(src[1]), positions_(count(src) / src[0] / src[1]) {}
  void forward(const Buffers& b) const override {
    transpose(b.src[0].as<T>(), b.dst.f32(), positions_, channels_);
  }
  void backward(const Buffers& b) const override {
    transpose(b.diff_dst.f32(), b.diff_src[0].as<T>(), channels_, positions_);
  }
  bool backward_reads_src() const override { return false; }

 private:
  // Each image's (rows, columns) matrix to (columns, rows).
  template <class From, class To>
  void transpose(const From* in, To* out, int64_t rows, int64_t columns) const {
    parallel_for(images_, [&](int64_t n) {
      const int64_t o = n * rows * columns;
      for (int64_t c = 0; c < columns; ++c)
        for (int64_t r = 0; r < rows; ++r)
          out[o + c * rows + r] = from_f32<To>(to_f32(in[o + r * columns + c]));
    });
  }
  int64_t images_, channels_, positions_;
};

template <class T>
class SlicePadKernel : public Kernel {
 public:
  SlicePadKernel(const ShortcutOptions& options, const KernelBuilder& b)
      : options_(options), src_(b.src_shapes[0]), dst_(b.dst_shape) {}
  void forward(const Buffers& b) const override {
    parallel_for(dst_[0] * dst_[2], [&](int64_t row) {
      for (int64_t x = 0; x < dst_[3]; ++x) {
        T* out = b.dst.as<T>() + (row * dst_[3] + x) * dst_[1];
        std::fill(out, out + dst_[1], T{});
        std::memcpy(out + options_.channels_before, source(b.src[0].as<T>(), row, x), bytes());
      }
    });
  }
  void backward(const Buffers& b) const override {
    T* dx = b.diff_src[0].as<T>();
    parallel_for(src_[0], [&](int64_t n) {
      const int64_t per_image = src_[1] * src_[2] * src_[3];
      std::fill(dx + n * per_image, dx + (n + 1) * per_image, T{});
      for (int64_t row = n * dst_[2]; row < (n + 1) * dst_[2]; ++row)
        for (int64_t x = 0; x < dst_[3]; ++x)
          std::memcpy(source(dx, row, x),
                      b.diff_dst.as<T>() + (row * dst_[3] + x) * dst_[1] + options_.channels_before,
                      bytes());
    });
  }
  bool backward_reads_src() const override { return false; }

 private:
  // Pixel of src that output row `row` (image and line in one) and column x read.
  T* source(T* base, int64_t row, int64_t x) const {
    const int64_t n = row / dst_[2], y = row % dst_[2] * options_.stride.h;
    return base + ((n * src_[2] + y) * src_[3] + x * options_.stride.w) * src_[1];
  }
  size_t bytes() const { return static_cast<size_t>(src_[1]) * sizeof(T); }

  ShortcutOptions options_;
  Shape src_, dst_;
};

}  // namespace

std::unique_ptr<Kernel> Flatten::compile(KernelBuilder& builder) const {
  return make_kernel<FlattenKernel>(builder.src_dtypes[0], builder.src_shapes[0]);
}

std::unique_ptr<Kernel> StridedSlicePad::compile(KernelBuilder& builder) const {
  return make_kernel<SlicePadKernel>(builder.dtype, options_, builder);
}

Value flatten(Value src) {
  const Node& node = src.graph->node(src.node);
  require(node.positions > 0, node.name,
          ": flatten needs a fixed height and width; put adaptive_avg_pool2d before it");
  return src.graph->append({.name = node.name + ".flatten",
                            .op = std::make_shared<Flatten>(),
                            .src = {src},
                            .channels = node.channels * node.positions,
                            .positions = 1});
}

Value slice_pad(Value src, const ShortcutOptions& options) {
  const Node& node = src.graph->node(src.node);
  return src.graph->append(
      {.name = node.name + ".shortcut",
       .op = std::make_shared<StridedSlicePad>(options),
       .src = {src},
       .channels = options.channels_before + node.channels + options.channels_after});
}

Value strided_slice(Value src, Size2 stride) { return slice_pad(src, {.stride = stride}); }
Value pad_channels(Value src, int64_t before, int64_t after) {
  return slice_pad(src, {.stride = 1, .channels_before = before, .channels_after = after});
}

}  // namespace limbic
