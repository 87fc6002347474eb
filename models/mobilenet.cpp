// MobileNetV2, Sandler et al. 2018, arXiv:1801.04381, width 1; torchvision's layer numbers.
#include "limbic/models/families.h"
#include "limbic/nn/ops/activation.h"
#include "limbic/nn/ops/add.h"
#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/ops/conv2d.h"
#include "limbic/nn/ops/dropout.h"
#include "limbic/nn/ops/linear.h"
#include "limbic/nn/ops/pool2d.h"

namespace limbic::models {
namespace {

struct ConvNorm {
  int64_t out_channels = 0, kernel_size = 1, stride = 1, groups = 1;
};

Value conv(const Scope& s, Value x, const ConvNorm& o) {
  return conv2d(s, x,
                {.out_channels = o.out_channels,
                 .kernel_size = o.kernel_size,
                 .stride = o.stride,
                 .padding = o.kernel_size / 2,
                 .groups = o.groups,
                 .bias = false,
                 .init = WeightInit::kaiming_normal_fan_out});
}

Value conv_norm_relu(const Scope& s, Value x, const ConvNorm& o) {
  return relu6(batch_norm(s / 1, conv(s / 0, x, o)));
}

struct Residual {
  int64_t expansion = 6, out_channels = 0, stride = 1;
};

// 1x1 to `expansion` times the channels, 3x3 on each channel by itself, 1x1 back, which has no
// activation (figure 3b). (N,C,H,W) -> (N,out_channels,H/stride,W/stride).
Value inverted_residual(const Scope& block, Value x, const Residual& o) {
  const Value identity = x;
  const Scope s = block / "conv";
  const int64_t hidden = o.expansion * x.channels();
  int64_t layer = 0;
  if (o.expansion != 1) x = conv_norm_relu(s / layer++, x, {.out_channels = hidden});
  x = conv_norm_relu(
      s / layer++, x,
      {.out_channels = hidden, .kernel_size = 3, .stride = o.stride, .groups = hidden});
  x = conv(s / layer, x, {.out_channels = o.out_channels});
  x = batch_norm(s / (layer + 1), x);
  return o.stride == 1 && identity.channels() == o.out_channels ? add(x, identity) : x;
}

}  // namespace

void mobilenet_v2(Model& model) {
  Graph& g = model.graph;
  const Scope s = g.root() / "features";
  const auto stage = [&](Value x) {
    model.stages.push_back("features." + std::to_string(model.stages.size()));
    g.label(model.stages.back(), x);
    return x;
  };
  struct Group {  // table 2
    int64_t expansion, out_channels, blocks, stride;
  };

  Value x = g.input(3);
  x = stage(conv_norm_relu(s / 0, x, {.out_channels = 32, .kernel_size = 3, .stride = 2}));
  int64_t layer = 1;
  for (const Group& group :
       {Group{1, 16, 1, 1}, Group{6, 24, 2, 2}, Group{6, 32, 3, 2}, Group{6, 64, 4, 2},
        Group{6, 96, 3, 1}, Group{6, 160, 3, 2}, Group{6, 320, 1, 1}})
    for (int64_t i = 0; i < group.blocks; ++i)
      x = stage(inverted_residual(s / layer++, x,
                                  {.expansion = group.expansion,
                                   .out_channels = group.out_channels,
                                   .stride = i == 0 ? group.stride : 1}));
  x = global_avg_pool(stage(conv_norm_relu(s / layer, x, {.out_channels = 1280})));
  g.label("features", x);
  g.label(
      "logits",
      linear(g.root() / "classifier" / 1, dropout(x, 0.2),
             {.out_features = model.classes, .init = WeightInit::normal_001, .zero_bias = true}));
}

}  // namespace limbic::models
