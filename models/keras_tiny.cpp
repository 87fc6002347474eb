// The two small networks of the MLPerf Tiny benchmark under the names that Keras gave their layers:
// ResNet-8 for CIFAR-10 and MobileNetV1 0.25 (Howard et al. 2017, arXiv:1704.04861) for
// 96x96 pictures with or without a person. https://github.com/mlcommons/tiny, benchmark/training.
#include "limbic/models/families.h"
#include "limbic/nn/ops/activation.h"
#include "limbic/nn/ops/add.h"
#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/ops/conv2d.h"
#include "limbic/nn/ops/linear.h"
#include "limbic/nn/ops/pool2d.h"

namespace limbic::models {
namespace {

// Appends layers and counts them for each class, as Keras does: conv2d, conv2d_1, ...
class Layers {
 public:
  explicit Layers(const Scope& root) : root_(root) {}

  Value conv(Value x, int64_t out_channels, int64_t kernel, int64_t stride) {
    return conv2d(next("conv2d", convs_), x, options(out_channels, kernel, stride));
  }
  Value depthwise(Value x, int64_t stride) {
    Conv2dOptions o = options(x.channels(), 3, stride);
    o.groups = x.channels();
    return conv2d(next("depthwise_conv2d", depthwise_), x, o);
  }
  Value norm(Value x) {
    return batch_norm(next("batch_normalization", norms_), x, {.epsilon = 1e-3, .momentum = 0.01});
  }

 private:
  static Conv2dOptions options(int64_t out_channels, int64_t kernel, int64_t stride) {
    return {.out_channels = out_channels,
            .kernel_size = kernel,
            .stride = stride,
            .same_padding = true,
            .init = WeightInit::kaiming_normal_fan_in,
            .zero_bias = true};
  }
  Scope next(const std::string& kind, int& number) {
    const std::string suffix = number ? "_" + std::to_string(number) : "";
    ++number;
    return root_ / (kind + suffix);
  }

  Scope root_;
  int convs_ = 0, depthwise_ = 0, norms_ = 0;
};

void classifier(Model& model, Value x) {
  Graph& g = model.graph;
  x = global_avg_pool(x);
  g.label("features", x);
  g.label("logits", linear(g.root() / model.classifier, x,
                           {.out_features = model.classes, .zero_bias = true}));
}

}  // namespace

void keras_resnet8(Model& model) {
  Graph& g = model.graph;
  Layers layers(g.root());
  Value x = relu(layers.norm(layers.conv(g.input(3), 16, 3, 1)));
  for (int64_t stage = 0; stage < 3; ++stage) {
    const int64_t width = 16 << stage, stride = stage > 0 ? 2 : 1;
    Value y = relu(layers.norm(layers.conv(x, width, 3, stride)));
    y = layers.conv(y, width, 3, 1);
    const Value shortcut = stage > 0 ? layers.conv(x, width, 1, stride) : x;
    x = relu(add(layers.norm(y), shortcut));
    model.stages.push_back("stage" + std::to_string(stage + 1));
    g.label(model.stages.back(), x);
  }
  classifier(model, x);
}

void keras_mobilenet_025_96(Model& model) {
  Graph& g = model.graph;
  Layers layers(g.root());
  Value x = relu(layers.norm(layers.conv(g.input(3), 8, 3, 2)));
  for (int64_t width : {16, 32, 32, 64, 64, 128, 128, 128, 128, 128, 128, 256, 256}) {
    // A wider block halves the picture, but for the first.
    const int64_t stride = width > x.channels() && width > 16 ? 2 : 1;
    x = relu(layers.norm(layers.depthwise(x, stride)));
    x = relu(layers.norm(layers.conv(x, width, 1, 1)));
  }
  classifier(model, x);
}

}  // namespace limbic::models
