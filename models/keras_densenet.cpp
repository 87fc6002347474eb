// DenseNet as keras.applications has it (Huang et al. 2017, arXiv:1608.06993): torchvision's
// network with another epsilon, under Keras' layer names.
#include "limbic/models/families.h"
#include "limbic/nn/ops/activation.h"
#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/ops/concat.h"
#include "limbic/nn/ops/conv2d.h"
#include "limbic/nn/ops/linear.h"
#include "limbic/nn/ops/pool2d.h"

namespace limbic::models {
namespace {

constexpr int64_t growth_rate = 32;

Value conv(const Scope& s, Value x, int64_t out_channels, int64_t kernel, int64_t stride = 1) {
  return conv2d(s, x,
                {.out_channels = out_channels,
                 .kernel_size = kernel,
                 .stride = stride,
                 .padding = kernel / 2,
                 .bias = false,
                 .init = WeightInit::kaiming_normal_fan_in});
}

Value norm_relu(const Scope& s, Value x) {
  return relu(batch_norm(s, x, {.epsilon = 1.001e-5, .momentum = 0.01}));
}

Value dense_layer(const Scope& root, const std::string& name, const std::vector<Value>& earlier) {
  Value x = norm_relu(root / (name + "_0_bn"), concat(earlier));
  x = norm_relu(root / (name + "_1_bn"), conv(root / (name + "_1_conv"), x, 4 * growth_rate, 1));
  return conv(root / (name + "_2_conv"), x, growth_rate, 3);
}

}  // namespace

void keras_densenet(Model& model, const KerasDenseNetOptions& o) {
  Graph& g = model.graph;
  const Scope s = g.root();

  Value x = norm_relu(s / "conv1_bn", conv(s / "conv1_conv", g.input(3), 64, 7, 2));
  // Keras pads with zeros, which after a ReLU cannot win either.
  x = max_pool2d(x, {.kernel_size = 3, .stride = 2, .padding = 1});
  for (size_t i = 0; i < o.block_layers.size(); ++i) {
    const std::string stage = std::to_string(i + 2);
    std::vector<Value> features = {x};
    std::string layer;
    for (int64_t k = 0; k < o.block_layers[i]; ++k) {
      layer = "conv" + stage + "_block" + std::to_string(k + 1);
      features.push_back(dense_layer(s, layer, features));
    }
    x = concat(features);
    model.stages.push_back(layer + "_concat");
    g.label(model.stages.back(), x);
    if (i + 1 == o.block_layers.size()) break;
    x = norm_relu(s / ("pool" + stage + "_bn"), x);
    x = conv(s / ("pool" + stage + "_conv"), x, x.channels() / 2, 1);
    x = avg_pool2d(x, {.kernel_size = 2, .stride = 2});
  }
  x = global_avg_pool(norm_relu(s / "bn", x));
  g.label("features", x);
  g.label("logits",
          linear(s / "predictions", x, {.out_features = model.classes, .zero_bias = true}));
}

}  // namespace limbic::models
