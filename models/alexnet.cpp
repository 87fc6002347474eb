// AlexNet, Krizhevsky 2014, arXiv:1404.5997; torchvision's layer numbers.
#include "limbic/models/families.h"
#include "limbic/nn/ops/activation.h"
#include "limbic/nn/ops/conv2d.h"
#include "limbic/nn/ops/dropout.h"
#include "limbic/nn/ops/linear.h"
#include "limbic/nn/ops/pool2d.h"
#include "limbic/nn/ops/reshape.h"

namespace limbic::models {

void alexnet(Model& model) {
  Graph& g = model.graph;
  const Scope s = g.root() / "features";
  struct Layer {
    int64_t number;
    Conv2dOptions conv;
    bool pool_behind;
  };
  const Layer layers[] = {
      {0, {.out_channels = 64, .kernel_size = 11, .stride = 4, .padding = 2}, true},
      {3, {.out_channels = 192, .kernel_size = 5, .padding = 2}, true},
      {6, {.out_channels = 384, .kernel_size = 3, .padding = 1}, false},
      {8, {.out_channels = 256, .kernel_size = 3, .padding = 1}, false},
      {10, {.out_channels = 256, .kernel_size = 3, .padding = 1}, true}};

  Value x = g.input(3);
  for (const Layer& layer : layers) {
    x = relu(conv2d(s / layer.number, x, layer.conv));
    if (!layer.pool_behind) continue;
    x = max_pool2d(x, {.kernel_size = 3, .stride = 2});
    model.stages.push_back("features." + std::to_string(layer.number + 2));
    g.label(model.stages.back(), x);
  }
  x = dropout(flatten(adaptive_avg_pool2d(x, 6)), 0.5);
  const Scope c = g.root() / "classifier";
  x = dropout(relu(linear(c / 1, x, {.out_features = 4096})), 0.5);
  x = relu(linear(c / 4, x, {.out_features = 4096}));
  g.label("features", x);
  g.label("logits", linear(c / 6, x, {.out_features = model.classes}));
}

}  // namespace limbic::models
