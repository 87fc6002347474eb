#include "limbic/nn/ops/linear.h"

#include <cstring>

#include "limbic/nn/cpu/onednn/compat.h"
#include "limbic/nn/graph/kernel.h"

namespace limbic {

Shape Linear::infer(std::span<const Shape> src) const {
  require(src[0].size() == 2 && src[0][1] == in_features_, "expected src (N,", in_features_,
          "), got ", to_string(src[0]));
  return {src[0][0], options_.out_features};
}

std::vector<ParameterSpec> Linear::parameters() const {
  const int64_t out = options_.out_features;
  std::vector<ParameterSpec> specs = {{.name = "weight",
                                       .shape = {out, in_features_},
                                       .init = initialiser(options_.init, in_features_, out)}};
  if (options_.bias)
    specs.push_back({.name = "bias",
                     .shape = {out},
                     .init = options_.zero_bias
                                 ? Initialiser{}
                                 : initialiser(WeightInit::torch_default, in_features_, out)});
  return specs;
}

namespace {

class LinearKernel : public Kernel {
 public:
  LinearKernel(int64_t n, int64_t in, const LinearOptions& o)
      : n_(n), in_(in), out_(o.out_features), bias_(o.bias) {}

  void forward(const Buffers& b) const override {
    if (bias_)
      for (int64_t n = 0; n < n_; ++n)
        std::memcpy(b.dst.f32() + n * out_, b.packed[1].data,
                    static_cast<size_t>(out_) * sizeof(float));
    onednn::gemm({b.src[0].f32(), n_, in_}, {b.packed[0].f32(), in_, out_, true}, bias_,
                 b.dst.f32());
  }

  void backward(const Buffers& b) const override {
    const float* dy = b.diff_dst.f32();
    if (float* dx = b.diff_src[0].f32())
      onednn::gemm({dy, n_, out_}, {b.packed[0].f32(), out_, in_}, false, dx);
    if (float* dw = b.diff_packed[0].f32())
      onednn::gemm({dy, out_, n_, true}, {b.src[0].f32(), n_, in_}, false, dw);
    if (float* db = bias_ ? b.diff_packed[1].f32() : nullptr)
      for (int64_t o = 0; o < out_; ++o) {
        double sum = 0;
        for (int64_t n = 0; n < n_; ++n) sum += static_cast<double>(dy[n * out_ + o]);
        db[o] = static_cast<float>(sum);
      }
  }

 private:
  int64_t n_, in_, out_;
  bool bias_;
};

}  // namespace

std::unique_ptr<Kernel> Linear::compile(KernelBuilder& builder) const {
  return std::make_unique<LinearKernel>(builder.dst_shape[0], in_features_, options_);
}

Value linear(const Scope& scope, Value src, const LinearOptions& options) {
  return src.graph->append({.name = scope.path,
                            .op = std::make_shared<Linear>(src.channels(), options),
                            .src = {src},
                            .channels = options.out_features,
                            .positions = 1});
}

}  // namespace limbic
