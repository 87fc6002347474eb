// Caffe's bvlc_reference_caffenet: AlexNet (Krizhevsky et al. 2012) with pooling before each
// normalisation; Caffe's layer names.
#include "limbic/models/families.h"
#include "limbic/nn/ops/activation.h"
#include "limbic/nn/ops/conv2d.h"
#include "limbic/nn/ops/dropout.h"
#include "limbic/nn/ops/linear.h"
#include "limbic/nn/ops/local_response_norm.h"
#include "limbic/nn/ops/pool2d.h"
#include "limbic/nn/ops/reshape.h"

namespace limbic::models {

void caffenet(Model& model) {
  Graph& g = model.graph;
  const Scope s = g.root();
  struct Layer {
    const char* name;
    Conv2dOptions conv;
    bool pool = false, norm = false;
  };
  const Layer layers[] = {
      {"conv1", {.out_channels = 96, .kernel_size = 11, .stride = 4}, true, true},
      {"conv2", {.out_channels = 256, .kernel_size = 5, .padding = 2, .groups = 2}, true, true},
      {"conv3", {.out_channels = 384, .kernel_size = 3, .padding = 1}},
      {"conv4", {.out_channels = 384, .kernel_size = 3, .padding = 1, .groups = 2}},
      {"conv5", {.out_channels = 256, .kernel_size = 3, .padding = 1, .groups = 2}, true}};

  Value x = g.input(3);
  for (const Layer& layer : layers) {
    x = relu(conv2d(s / layer.name, x, layer.conv));
    if (layer.pool) x = max_pool2d(x, {.kernel_size = 3, .stride = 2, .ceil_mode = true});
    if (layer.norm) x = local_response_norm(x, {.size = 5, .alpha = 1e-4, .beta = 0.75, .k = 1});
    model.stages.push_back(layer.name);
    g.label(layer.name, x);
  }
  // 6x6 of 227 pixels as it is; of another size, averaged to that.
  x = flatten(adaptive_avg_pool2d(x, 6));
  x = dropout(relu(linear(s / "fc6", x, {.out_features = 4096})), 0.5);
  x = relu(linear(s / "fc7", x, {.out_features = 4096}));
  g.label("features", x);
  g.label("logits", linear(s / "fc8", dropout(x, 0.5), {.out_features = model.classes}));
}

}  // namespace limbic::models
