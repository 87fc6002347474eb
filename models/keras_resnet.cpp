// ResNet as keras.applications has it (v1, He et al. 2015, arXiv:1512.03385): convolutions have
// biases, and a stage's stride sits in its first 1x1 and in the shortcut. Keras' layer names.
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
  int64_t out_channels, kernel, stride;
};

// Layers NAME_conv and NAME_bn.
Value conv_norm(const Scope& root, const std::string& name, Value x, const Conv& o) {
  x = conv2d(root / (name + "_conv"), x,
             {.out_channels = o.out_channels,
              .kernel_size = o.kernel,
              .stride = o.stride,
              .padding = o.kernel / 2,
              .init = WeightInit::kaiming_normal_fan_out,
              .zero_bias = true});
  return batch_norm(root / (name + "_bn"), x, {.epsilon = 1.001e-5, .momentum = 0.01});
}

// The shortcut stands where Keras lists it: files without names count layers in that order.
Value block(const Scope& root, const std::string& name, Value src, int64_t width, int64_t stride) {
  Value x = relu(conv_norm(root, name + "_1", src, {width, 1, stride}));
  x = relu(conv_norm(root, name + "_2", x, {width, 3, 1}));
  const bool same = stride == 1 && src.channels() == 4 * width;
  const Value shortcut = same ? src : conv_norm(root, name + "_0", src, {4 * width, 1, stride});
  return relu(add(conv_norm(root, name + "_3", x, {4 * width, 1, 1}), shortcut));
}

}  // namespace

void keras_resnet(Model& model, const KerasResNetOptions& o) {
  Graph& g = model.graph;
  const Scope s = g.root();

  Value x = relu(conv_norm(s, "conv1", g.input(3), {64, 7, 2}));
  // Keras pads with zeros, which after a ReLU cannot win either.
  x = max_pool2d(x, {.kernel_size = 3, .stride = 2, .padding = 1});
  g.label("pool1_pool", x);
  model.stages = {"pool1_pool"};
  for (size_t stage = 0; stage < o.blocks.size(); ++stage) {
    std::string layer;
    for (int64_t i = 0; i < o.blocks[stage]; ++i) {
      layer = "conv" + std::to_string(stage + 2) + "_block" + std::to_string(i + 1);
      x = block(s, layer, x, int64_t{64} << stage, i == 0 && stage > 0 ? 2 : 1);
    }
    model.stages.push_back(layer + "_out");
    g.label(model.stages.back(), x);
  }
  x = global_avg_pool(x);
  g.label("features", x);
  g.label("logits",
          linear(s / "predictions", x, {.out_features = model.classes, .zero_bias = true}));
}

}  // namespace limbic::models
