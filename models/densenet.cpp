// DenseNet, Huang et al. 2017, arXiv:1608.06993; torchvision's BC variant.
#include "limbic/models/blocks.h"
#include "limbic/nn/ops/activation.h"
#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/ops/concat.h"
#include "limbic/nn/ops/conv2d.h"
#include "limbic/nn/ops/dropout.h"
#include "limbic/nn/ops/linear.h"
#include "limbic/nn/ops/pool2d.h"

namespace limbic::models {
namespace {

Value conv(const Scope& s, Value x, int64_t out_channels, int64_t kernel, int64_t stride = 1) {
  return conv2d(s, x,
                {.out_channels = out_channels,
                 .kernel_size = kernel,
                 .stride = stride,
                 .padding = kernel / 2,
                 .bias = false,
                 .init = WeightInit::kaiming_normal_fan_in});
}

Value dense_layer(const Scope& s, const std::vector<Value>& earlier, const DenseNetOptions& o) {
  Value x = concat(earlier);
  x = conv(s / "conv1", relu(batch_norm(s / "norm1", x)), 4 * o.growth_rate, 1);
  x = conv(s / "conv2", relu(batch_norm(s / "norm2", x)), o.growth_rate, 3);
  return o.dropout > 0 ? dropout(x, o.dropout) : x;
}

Value transition(const Scope& s, Value x) {
  x = conv(s / "conv", relu(batch_norm(s / "norm", x)), x.channels() / 2, 1);
  return avg_pool2d(x, {.kernel_size = 2, .stride = 2});
}

}  // namespace

Value dense_block(const Scope& s, Value x, int64_t layers, const DenseNetOptions& o) {
  std::vector<Value> features = {x};
  for (int64_t i = 0; i < layers; ++i)
    features.push_back(dense_layer(s / ("denselayer" + std::to_string(i + 1)), features, o));
  return concat(features);
}

void densenet(Model& model, const DenseNetOptions& o) {
  Graph& g = model.graph;
  const Scope s = g.root() / "features";

  Value x = conv(s / "conv0", g.input(3), o.stem_channels, o.small_images ? 3 : 7,
                 o.small_images ? 1 : 2);
  if (!o.small_images) {
    x = relu(batch_norm(s / "norm0", x));
    x = max_pool2d(x, {.kernel_size = 3, .stride = 2, .padding = 1});
  }
  for (size_t i = 0; i < o.block_layers.size(); ++i) {
    const std::string number = std::to_string(i + 1);
    x = dense_block(s / ("denseblock" + number), x, o.block_layers[i], o);
    model.stages.push_back("features.denseblock" + number);
    g.label(model.stages.back(), x);
    if (i + 1 < o.block_layers.size()) x = transition(s / ("transition" + number), x);
  }
  x = global_avg_pool(
      relu(batch_norm(s / ("norm" + std::to_string(o.block_layers.size() + 1)), x)));
  g.label("features", x);
  g.label("logits",
          linear(g.root() / "classifier", x, {.out_features = model.classes, .zero_bias = true}));
}

}  // namespace limbic::models
