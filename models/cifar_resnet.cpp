// The CIFAR ResNets with 6n+2 layers and option-A shortcuts, He et al. 2015, section 4.2; names as
// in the public checkpoint resnet20-12fca82f.
#include "limbic/models/families.h"
#include "limbic/nn/ops/activation.h"
#include "limbic/nn/ops/add.h"
#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/ops/linear.h"
#include "limbic/nn/ops/pool2d.h"
#include "limbic/nn/ops/reshape.h"

namespace limbic::models {
namespace {

Value conv3x3(const Scope& s, Value x, int64_t out_channels, int64_t stride) {
  return conv2d(s, x,
                {.out_channels = out_channels,
                 .kernel_size = 3,
                 .stride = stride,
                 .padding = 1,
                 .bias = false,
                 .init = WeightInit::kaiming_normal_fan_in});
}

Value block(const Scope& s, Value x, int64_t width, int64_t stride, bool projection) {
  Value identity = x;
  if (projection && (stride != 1 || x.channels() != width)) {
    identity = conv2d(s / "downsample" / "0", x,
                      {.out_channels = width,
                       .stride = stride,
                       .bias = false,
                       .init = WeightInit::kaiming_normal_fan_in});
    identity = batch_norm(s / "downsample" / "1", identity);
  } else if (stride != 1 || x.channels() != width) {
    const int64_t missing = width - x.channels();
    identity = slice_pad(x, {.stride = stride,
                             .channels_before = missing / 2,
                             .channels_after = missing - missing / 2});
  }
  x = relu(batch_norm(s / "bn1", conv3x3(s / "conv1", x, width, stride)));
  x = batch_norm(s / "bn2", conv3x3(s / "conv2", x, width, 1));
  return relu(add(x, identity));
}

}  // namespace

void cifar_resnet(Model& model, const CifarResNetOptions& o) {
  Graph& g = model.graph;
  const Scope s = g.root();

  Value x = relu(batch_norm(s / "bn1", conv3x3(s / "conv1", g.input(3), 16, 1)));
  for (int64_t stage = 0; stage < 3; ++stage) {
    const std::string layer = "layer" + std::to_string(stage + 1);
    for (int64_t i = 0; i < o.blocks; ++i)
      x = block(s / layer / i, x, 16 << stage, i == 0 && stage > 0 ? 2 : 1, o.projection);
    g.label(layer, x);
    model.stages.push_back(layer);
  }
  x = global_avg_pool(x);
  g.label("features", x);
  g.label("logits",
          linear(s / model.classifier, x,
                 {.out_features = model.classes, .init = WeightInit::kaiming_normal_fan_in}));
}

}  // namespace limbic::models
