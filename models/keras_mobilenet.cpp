// MobileNet (Howard et al. 2017, arXiv:1704.04861) and MobileNetV2 (Sandler et al. 2018,
// arXiv:1801.04381) as keras.applications has them: what a stride of 2 lacks is padded below and on
// the right. Keras' layer names.
#include "limbic/models/families.h"
#include "limbic/nn/ops/activation.h"
#include "limbic/nn/ops/add.h"
#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/ops/conv2d.h"
#include "limbic/nn/ops/linear.h"
#include "limbic/nn/ops/pool2d.h"

namespace limbic::models {
namespace {

struct Conv {
  int64_t out_channels, kernel = 1, stride = 1, groups = 1;
};

Value conv(const Scope& s, Value x, const Conv& o) {
  return conv2d(s, x,
                {.out_channels = o.out_channels,
                 .kernel_size = o.kernel,
                 .stride = o.stride,
                 .padding = o.kernel == 1   ? Padding(0)
                            : o.stride == 1 ? Padding(1)
                                            : Padding(0, 0, 1, 1),
                 .groups = o.groups,
                 .bias = false,
                 .init = WeightInit::kaiming_normal_fan_out});
}

Value norm(const Scope& s, Value x) {
  return batch_norm(s, x, {.epsilon = 1e-3, .momentum = 0.01});
}

void classifier(Model& model, Value x) {
  Graph& g = model.graph;
  x = global_avg_pool(x);
  g.label("features", x);
  g.label("logits", linear(g.root() / model.classifier, x,
                           {.out_features = model.classes, .zero_bias = true}));
}

}  // namespace

void keras_mobilenet(Model& model) {
  Graph& g = model.graph;
  const Scope s = g.root();
  Value x = relu6(norm(s / "conv1_bn", conv(s / "conv1", g.input(3), {32, 3, 2})));
  int block = 1;
  for (const auto& [width, stride] : std::vector<std::pair<int64_t, int64_t>>{{64, 1},
                                                                              {128, 2},
                                                                              {128, 1},
                                                                              {256, 2},
                                                                              {256, 1},
                                                                              {512, 2},
                                                                              {512, 1},
                                                                              {512, 1},
                                                                              {512, 1},
                                                                              {512, 1},
                                                                              {512, 1},
                                                                              {1024, 2},
                                                                              {1024, 1}}) {
    const std::string deep = "conv_dw_" + std::to_string(block),
                      point = "conv_pw_" + std::to_string(block);
    ++block;
    x = relu6(norm(s / (deep + "_bn"), conv(s / deep, x, {x.channels(), 3, stride, x.channels()})));
    x = relu6(norm(s / (point + "_bn"), conv(s / point, x, {width})));
    model.stages.push_back(point + "_relu");
    g.label(model.stages.back(), x);
  }
  classifier(model, x);
}

void keras_mobilenet_v2(Model& model) {
  Graph& g = model.graph;
  const Scope s = g.root();
  struct Group {  // table 2
    int64_t expansion, width, blocks, stride;
  };
  Value x = relu6(norm(s / "bn_Conv1", conv(s / "Conv1", g.input(3), {32, 3, 2})));
  int number = 0;
  for (const Group& group :
       {Group{1, 16, 1, 1}, Group{6, 24, 2, 2}, Group{6, 32, 3, 2}, Group{6, 64, 4, 2},
        Group{6, 96, 3, 1}, Group{6, 160, 3, 2}, Group{6, 320, 1, 1}})
    for (int64_t i = 0; i < group.blocks; ++i, ++number) {
      const std::string name = number == 0 ? "expanded_conv" : "block_" + std::to_string(number);
      const auto layer = [&](const char* what) { return s / (name + "_" + what); };
      const Value before = x;
      const int64_t hidden = group.expansion * x.channels(), stride = i == 0 ? group.stride : 1;
      if (group.expansion != 1)
        x = relu6(norm(layer("expand_BN"), conv(layer("expand"), x, {hidden})));
      x = relu6(
          norm(layer("depthwise_BN"), conv(layer("depthwise"), x, {hidden, 3, stride, hidden})));
      x = norm(layer("project_BN"), conv(layer("project"), x, {group.width}));
      if (stride == 1 && before.channels() == group.width) x = add(x, before);
      model.stages.push_back(name);
      g.label(name, x);
    }
  x = relu6(norm(s / "Conv_1_bn", conv(s / "Conv_1", x, {1280})));
  classifier(model, x);
}

}  // namespace limbic::models
