// ResNet V2, He et al. 2016, arXiv:1603.05027: batch norm and ReLU before each convolution. Gluon's
// variant and counters; its first batch norm normalises the input.
#include "limbic/models/families.h"
#include "limbic/nn/ops/activation.h"
#include "limbic/nn/ops/add.h"
#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/ops/conv2d.h"
#include "limbic/nn/ops/linear.h"
#include "limbic/nn/ops/pool2d.h"

namespace limbic::models {
namespace {

// Layers of a stage, counted as Gluon does.
class Stage {
 public:
  explicit Stage(const Scope& scope) : scope_(scope) {}

  Value conv(Value x, int64_t out_channels, int64_t kernel, int64_t stride) {
    return conv2d(scope_ / ("conv" + std::to_string(convs_++)), x,
                  {.out_channels = out_channels,
                   .kernel_size = kernel,
                   .stride = stride,
                   .padding = kernel / 2,
                   .bias = false,
                   .init = WeightInit::kaiming_normal_fan_out});
  }
  Value norm_relu(Value x) {
    return relu(batch_norm(scope_ / ("batchnorm" + std::to_string(norms_++)), x));
  }

 private:
  Scope scope_;
  int convs_ = 0, norms_ = 0;
};

}  // namespace

void resnet_v2(Model& model, const ResNetV2Options& o) {
  Graph& g = model.graph;
  const Scope s = g.root();
  Value x = batch_norm(s / "batchnorm0", g.input(3));
  Stage stem(s);
  x = stem.conv(x, 64, 7, 2);
  x = relu(batch_norm(s / "batchnorm1", x));
  x = max_pool2d(x, {.kernel_size = 3, .stride = 2, .padding = 1});
  for (size_t i = 0; i < o.blocks.size(); ++i) {
    const std::string name = "stage" + std::to_string(i + 1);
    Stage stage(s / name);
    const int64_t width = int64_t{64} << i;
    for (int64_t block = 0; block < o.blocks[i]; ++block) {
      const int64_t stride = block == 0 && i > 0 ? 2 : 1;
      const Value pre = stage.norm_relu(x);
      Value y = stage.conv(pre, width, 1, 1);
      y = stage.conv(stage.norm_relu(y), width, 3, stride);
      y = stage.conv(stage.norm_relu(y), 4 * width, 1, 1);
      x = add(y, block == 0 ? stage.conv(pre, 4 * width, 1, stride) : x);
    }
    g.label(name, x);
    model.stages.push_back(name);
  }
  const Scope last = o.last_norm.empty() ? s / "batchnorm2" : s / o.last_norm / "batchnorm0";
  x = global_avg_pool(relu(batch_norm(last, x)));
  g.label("features", x);
  g.label("logits", linear(s / "dense0", x, {.out_features = model.classes}));
}

}  // namespace limbic::models
