#include "limbic/nn/ops/conv2d.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "limbic/nn/ops/add.h"
#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/ops/conv2d_kernel.h"

namespace limbic {

Initialiser initialiser(WeightInit init, int64_t fan_in, int64_t fan_out) {
  using Kind = Initialiser::Kind;
  const auto in = static_cast<double>(fan_in), out = static_cast<double>(fan_out);
  switch (init) {
    case WeightInit::torch_default:
      return {Kind::uniform, 1 / std::sqrt(in)};
    case WeightInit::kaiming_normal_fan_in:
      return {Kind::normal, std::sqrt(2 / in)};
    case WeightInit::kaiming_normal_fan_out:
      return {Kind::normal, std::sqrt(2 / out)};
    case WeightInit::kaiming_uniform_fan_in:
      return {Kind::uniform, std::sqrt(6 / in)};
    case WeightInit::normal_001:
      return {Kind::normal, 0.01};
  }
  fail("unknown initialiser");
}

void require_window(const char* op, Size2 kernel, Size2 stride, const Padding& p) {
  const auto within = [](std::initializer_list<int64_t> values, int64_t lowest) {
    return std::all_of(values.begin(), values.end(),
                       [&](int64_t v) { return v >= lowest && v <= INT32_MAX; });
  };
  require(within({kernel.h, kernel.w}, 1), op, ": kernel_size must be from 1 to 2^31 - 1, got ",
          kernel.h, "x", kernel.w);
  require(within({stride.h, stride.w}, 1), op, ": stride must be from 1 to 2^31 - 1, got ",
          stride.h, "x", stride.w);
  require(within({p.top, p.left, p.bottom, p.right}, 0), op,
          ": padding must be from 0 to 2^31 - 1, got ", p.top, ", ", p.left, ", ", p.bottom, ", ",
          p.right);
}

Conv2d::Conv2d(int64_t in_channels, const Conv2dOptions& options)
    : in_channels_(in_channels), options_(options) {
  const auto& o = options_;
  require(o.out_channels > 0 && o.groups > 0 && in_channels % o.groups == 0 &&
              o.out_channels % o.groups == 0,
          "conv2d: ", in_channels, " input and ", o.out_channels,
          " output channels do not divide into ", o.groups, " groups");
  require_window("conv2d", o.kernel_size, o.stride, o.padding);
  require(o.dilation.h > 0 && o.dilation.w > 0 && o.dilation.h <= INT32_MAX &&
              o.dilation.w <= INT32_MAX,
          "conv2d: dilation must be from 1 to 2^31 - 1, got ", o.dilation.h, "x", o.dilation.w);
}

Shape Conv2d::weight_shape() const {
  return {options_.out_channels, in_channels_ / options_.groups, options_.kernel_size.h,
          options_.kernel_size.w};
}

Shape Conv2d::infer(std::span<const Shape> src) const {
  const Shape& s = src[0];
  require(s.size() == 4 && s[1] == in_channels_, "expected src (N,", in_channels_, ",H,W), got ",
          to_string(s));
  const auto& [kernel, stride, dilation] =
      std::tie(options_.kernel_size, options_.stride, options_.dilation);
  const Padding p = padding(s);
  const int64_t free_h = s[2] + p.top + p.bottom - dilation.h * (kernel.h - 1) - 1;
  const int64_t free_w = s[3] + p.left + p.right - dilation.w * (kernel.w - 1) - 1;
  require(free_h >= 0 && free_w >= 0, "a ", kernel.h, "x", kernel.w,
          " kernel does not fit into src ", to_string(s));
  return {s[0], options_.out_channels, free_h / stride.h + 1, free_w / stride.w + 1};
}

Padding Conv2d::padding(const Shape& src) const {
  const auto& o = options_;
  if (!o.same_padding) return o.padding;
  const auto lacking = [](int64_t size, int64_t kernel, int64_t stride, int64_t dilation) {
    const int64_t last = (size - 1) / stride * stride;  // where the last window begins
    return std::max<int64_t>(0, last + dilation * (kernel - 1) + 1 - size);
  };
  const int64_t h = lacking(src[2], o.kernel_size.h, o.stride.h, o.dilation.h);
  const int64_t w = lacking(src[3], o.kernel_size.w, o.stride.w, o.dilation.w);
  return {h / 2, w / 2, h - h / 2, w - w / 2};
}

std::vector<ParameterSpec> Conv2d::parameters() const {
  const Shape shape = weight_shape();
  const int64_t fan_in = shape[1] * shape[2] * shape[3];
  // PyTorch's: of all output channels, whatever the groups.
  const int64_t fan_out = shape[0] * shape[2] * shape[3];
  const int64_t out = options_.out_channels;
  std::vector<ParameterSpec> specs = {
      {.name = "weight", .shape = shape, .init = initialiser(options_.init, fan_in, fan_out)}};
  if (options_.bias) {
    const auto init = options_.zero_bias ? Initialiser{}
                                         : initialiser(WeightInit::torch_default, fan_in, fan_out);
    specs.push_back({.name = "bias", .shape = {out}, .init = init});
  }
  if (fused_.norm)
    for (const char* name : {"norm.weight", "norm.bias", "norm.running_mean", "norm.running_var"})
      specs.push_back({.name = name, .shape = {out}, .init = {}});
  return specs;
}

std::shared_ptr<const Op> Conv2d::absorb(const Op& next) const {
  Fused fused = fused_;
  const auto* norm = dynamic_cast<const BatchNorm*>(&next);
  if (fused.then) return nullptr;
  if (norm && !fused.norm && !fused.sum) {
    fused.norm = true;
    fused.epsilon = norm->options().epsilon;
  } else if (dynamic_cast<const Add*>(&next) && !fused.sum) {
    fused.sum = true;
  } else if (next.as_activation().is_relu()) {
    fused.then = Activation::relu();
  } else {
    return nullptr;
  }
  return std::make_shared<Conv2d>(with(fused));
}

int64_t Conv2d::multiply_adds(std::span<const Shape> src) const {
  return count(infer(src)) * count(weight_shape()) / options_.out_channels;
}

std::unique_ptr<Kernel> Conv2d::compile(KernelBuilder& builder) const {
  if (!options_.same_padding) return compile_conv2d(*this, builder);
  Conv2d sized = *this;
  sized.options_.padding = padding(builder.src_shapes[0]);
  sized.options_.same_padding = false;
  return compile_conv2d(sized, builder);
}

Value conv2d(const Scope& scope, Value src, const Conv2dOptions& options) {
  return src.graph->append({.name = scope.path,
                            .op = std::make_shared<Conv2d>(src.channels(), options),
                            .src = {src},
                            .channels = options.out_channels});
}

}  // namespace limbic
