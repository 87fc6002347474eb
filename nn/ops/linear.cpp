#include "limbic/nn/ops/linear.h"

#include <optional>

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
  LinearKernel(KernelBuilder& b, const LinearOptions& o) : has_bias_(o.bias) {
    const onednn::LinearShape shape = {
        .src = onednn::canonical(b.src_shapes[0]),
        .weights = onednn::canonical({o.out_features, b.src_shapes[0][1]}),
        .bias = o.bias ? onednn::canonical({o.out_features}) : onednn::Desc(),
        .dst = onednn::canonical(b.dst_shape)};
    const auto forward = onednn::linear_forward(shape, b.gradients);
    forward_ = onednn::make(forward);
    implementation_ = forward.impl_info_str();
    scratch_ = b.temporary(forward.scratchpad_desc(), false);
    if (b.gradients && b.diff_src[0]) {
      const auto desc = onednn::linear_backward_data(shape, forward);
      backward_data_ = onednn::make(desc);
      data_scratch_ = b.temporary(desc.scratchpad_desc(), true);
    }
    const bool wants_weight = b.gradients && b.diff_parameters[0];
    const bool wants_bias = b.gradients && o.bias && b.diff_parameters[1];
    if (!wants_weight && !wants_bias) return;
    // oneDNN computes both gradients: one that nobody wants goes to scratch.
    const auto desc = onednn::linear_backward_weights(shape, forward);
    backward_weights_ = onednn::make(desc);
    weights_scratch_ = b.temporary(desc.scratchpad_desc(), true);
    if (!wants_weight) unwanted_weight_ = b.temporary(shape.weights, true);
    if (o.bias && !wants_bias) unwanted_bias_ = b.temporary(shape.bias, true);
  }

  void forward(const Buffers& b) const override {
    onednn::execute(forward_, {{DNNL_ARG_SRC, b.src[0].dnnl()},
                               {DNNL_ARG_WEIGHTS, b.packed[0].dnnl()},
                               {DNNL_ARG_BIAS, has_bias_ ? b.packed[1].dnnl() : nullptr},
                               {DNNL_ARG_DST, b.dst.dnnl()},
                               {DNNL_ARG_SCRATCHPAD, b.at(scratch_).dnnl()}});
  }

  void backward(const Buffers& b) const override {
    if (backward_data_)
      onednn::execute(backward_data_, {{DNNL_ARG_DIFF_DST, b.diff_dst.dnnl()},
                                       {DNNL_ARG_WEIGHTS, b.packed[0].dnnl()},
                                       {DNNL_ARG_DIFF_SRC, b.diff_src[0].dnnl()},
                                       {DNNL_ARG_SCRATCHPAD, b.at(data_scratch_).dnnl()}});
    if (!backward_weights_) return;
    const Buffer& weight = unwanted_weight_ ? b.at(*unwanted_weight_) : b.diff_packed[0];
    const dnnl::memory* bias = !has_bias_       ? nullptr
                               : unwanted_bias_ ? b.at(*unwanted_bias_).dnnl()
                                                : b.diff_packed[1].dnnl();
    onednn::execute(backward_weights_, {{DNNL_ARG_SRC, b.src[0].dnnl()},
                                        {DNNL_ARG_DIFF_DST, b.diff_dst.dnnl()},
                                        {DNNL_ARG_DIFF_WEIGHTS, weight.dnnl()},
                                        {DNNL_ARG_DIFF_BIAS, bias},
                                        {DNNL_ARG_SCRATCHPAD, b.at(weights_scratch_).dnnl()}});
  }
  std::string implementation() const override { return implementation_; }

 private:
  bool has_bias_;
  dnnl::primitive forward_, backward_data_, backward_weights_;
  int scratch_, data_scratch_ = -1, weights_scratch_ = -1;
  std::optional<int> unwanted_weight_, unwanted_bias_;
  std::string implementation_;
};

}  // namespace

std::unique_ptr<Kernel> Linear::compile(KernelBuilder& builder) const {
  return std::make_unique<LinearKernel>(builder, options_);
}

Value linear(const Scope& scope, Value src, const LinearOptions& options) {
  return src.graph->append({.name = scope.path,
                            .op = std::make_shared<Linear>(src.channels(), options),
                            .src = {src},
                            .channels = options.out_features,
                            .positions = 1});
}

}  // namespace limbic
