// EfficientNet-Lite, the variants for fixed-point hardware of Tan and Le 2019, arXiv:1905.11946:
// no squeeze-and-excitation, ReLU6 for SiLU, stem and head of one width for all. TensorFlow's
// padding; names of efficientnet_lite_pytorch.
// https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite
#include <algorithm>
#include <cmath>

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

struct Conv {
  int64_t out_channels = 0, kernel = 1, stride = 1, groups = 1;
};

Value conv(const Scope& s, Value x, const Conv& o) {
  return conv2d(s, x,
                {.out_channels = o.out_channels,
                 .kernel_size = o.kernel,
                 .stride = o.stride,
                 .same_padding = true,
                 .groups = o.groups,
                 .bias = false,
                 .init = WeightInit::kaiming_normal_fan_out});
}

Value norm(const Scope& s, Value x) {
  return batch_norm(s, x, {.epsilon = 1e-3, .momentum = 0.01});
}

// A multiple of eight channels, at least nine tenths of what was asked for.
int64_t scaled_width(double width) {
  const auto rounded = std::max<int64_t>(8, static_cast<int64_t>(width + 4) / 8 * 8);
  return static_cast<double>(rounded) < 0.9 * width ? rounded + 8 : rounded;
}

struct Block {
  int64_t expansion, out_channels, kernel, stride;
};

// As MobileNetV2's. (N,C,H,W) -> (N,out_channels,ceil(H/stride),ceil(W/stride)).
Value inverted_residual(const Scope& s, Value x, const Block& o) {
  const Value identity = x;
  const int64_t hidden = o.expansion * x.channels();
  if (o.expansion != 1)
    x = relu6(norm(s / "_bn0", conv(s / "_expand_conv", x, {.out_channels = hidden})));
  x = relu6(norm(
      s / "_bn1",
      conv(s / "_depthwise_conv", x,
           {.out_channels = hidden, .kernel = o.kernel, .stride = o.stride, .groups = hidden})));
  x = norm(s / "_bn2", conv(s / "_project_conv", x, {.out_channels = o.out_channels}));
  return o.stride == 1 && identity.channels() == o.out_channels ? add(x, identity) : x;
}

}  // namespace

void efficientnet_lite(Model& model, const EfficientNetLiteOptions& o) {
  Graph& g = model.graph;
  const Scope s = g.root();
  struct Stage {  // table 1
    int64_t blocks;
    Block block;
  };
  const std::vector<Stage> stages = {{1, {1, 16, 3, 1}}, {2, {6, 24, 3, 2}},  {2, {6, 40, 5, 2}},
                                     {3, {6, 80, 3, 2}}, {3, {6, 112, 5, 1}}, {4, {6, 192, 5, 2}},
                                     {1, {6, 320, 3, 1}}};
  Value x = relu6(norm(s / "_bn0", conv(s / "_conv_stem", g.input(3),
                                        {.out_channels = 32, .kernel = 3, .stride = 2})));
  int64_t number = 0;
  for (size_t stage = 0; stage < stages.size(); ++stage) {
    const bool fixed = stage == 0 || stage + 1 == stages.size();
    const auto [blocks, block] = stages[stage];
    const auto deep = static_cast<int64_t>(std::ceil(o.depth * static_cast<double>(blocks)));
    const int64_t width = scaled_width(o.width * static_cast<double>(block.out_channels));
    for (int64_t i = 0; i < (fixed ? blocks : deep); ++i)
      x = inverted_residual(s / "_blocks" / number++, x,
                            {block.expansion, width, block.kernel, i == 0 ? block.stride : 1});
    model.stages.push_back("stage" + std::to_string(stage + 1));
    g.label(model.stages.back(), x);
  }
  x = relu6(norm(s / "_bn1", conv(s / "_conv_head", x, {.out_channels = 1280})));
  x = global_avg_pool(x);
  g.label("features", x);
  g.label("logits", linear(s / "_fc", dropout(x, o.dropout), {.out_features = model.classes}));
}

}  // namespace limbic::models
