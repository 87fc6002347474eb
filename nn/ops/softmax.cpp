#include "limbic/nn/ops/softmax.h"

#include <algorithm>
#include <cmath>

#include "limbic/nn/graph/kernel.h"

namespace limbic {

Shape Softmax::infer(std::span<const Shape> src) const {
  require(src[0].size() == 2, "expected src (N,C), got ", to_string(src[0]));
  return src[0];
}

void softmax_rows(std::span<const float> logits, int64_t columns, std::span<float> probabilities) {
  require(columns > 0, "softmax: rows of no columns");
  const auto width = static_cast<size_t>(columns);
  for (size_t begin = 0; begin + width <= logits.size(); begin += width) {
    const float* x = logits.data() + begin;
    float* y = probabilities.data() + begin;
    const float largest = *std::max_element(x, x + width);
    double sum = 0;
    for (size_t c = 0; c < width; ++c) {
      y[c] = std::exp(x[c] - largest);
      sum += static_cast<double>(y[c]);
    }
    for (size_t c = 0; c < width; ++c) y[c] = static_cast<float>(y[c] / sum);
  }
}

namespace {

class SoftmaxKernel : public Kernel {
 public:
  explicit SoftmaxKernel(const Shape& shape) : rows_(shape[0]), columns_(shape[1]) {}
  void forward(const Buffers& b) const override {
    const auto n = static_cast<size_t>(rows_ * columns_);
    softmax_rows({b.src[0].f32(), n}, columns_, {b.dst.f32(), n});
  }
  void backward(const Buffers& b) const override {
    for (int64_t r = 0; r < rows_; ++r) {
      const float* y = b.dst.f32() + r * columns_;
      const float* dy = b.diff_dst.f32() + r * columns_;
      double dot = 0;
      for (int64_t c = 0; c < columns_; ++c) dot += double{dy[c]} * y[c];
      for (int64_t c = 0; c < columns_; ++c)
        b.diff_src[0].f32()[r * columns_ + c] = static_cast<float>(y[c] * (dy[c] - dot));
    }
  }
  bool backward_reads_src() const override { return false; }
  bool backward_reads_dst() const override { return true; }

 private:
  int64_t rows_, columns_;
};

}  // namespace

std::unique_ptr<Kernel> Softmax::compile(KernelBuilder& builder) const {
  return std::make_unique<SoftmaxKernel>(builder.dst_shape);
}

Value softmax(Value src) {
  const Node& node = src.graph->node(src.node);
  return src.graph->append({.name = node.name + ".softmax",
                            .op = std::make_shared<Softmax>(),
                            .src = {src},
                            .channels = node.channels,
                            .positions = 1});
}

}  // namespace limbic
