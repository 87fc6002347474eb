// ResNet, He et al. 2015, arXiv:1512.03385; the variant of torchvision (stride in the 3x3).
#include "limbic/models/blocks.h"
#include "limbic/nn/ops/activation.h"
#include "limbic/nn/ops/add.h"
#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/ops/conv2d.h"
#include "limbic/nn/ops/linear.h"
#include "limbic/nn/ops/pool2d.h"

namespace limbic::models {
namespace {

Conv2dOptions conv(int64_t out_channels, int64_t kernel, int64_t stride) {
  return {.out_channels = out_channels,
          .kernel_size = kernel,
          .stride = stride,
          .padding = kernel / 2,
          .bias = false,
          .init = WeightInit::kaiming_normal_fan_out};
}

Value shortcut(const Scope& s, Value x, int64_t out_channels, int64_t stride, bool average) {
  if (stride == 1 && x.channels() == out_channels) return x;
  if (average) {
    if (stride == 2)
      x = avg_pool2d(
          x, {.kernel_size = 2, .stride = 2, .ceil_mode = true, .count_include_pad = false});
    x = conv2d(s / "downsample" / "1", x, conv(out_channels, 1, 1));
    return batch_norm(s / "downsample" / "2", x);
  }
  x = conv2d(s / "downsample" / "0", x, conv(out_channels, 1, stride));
  return batch_norm(s / "downsample" / "1", x);
}

}  // namespace

Value basic_block(const Scope& s, Value x, int64_t width, int64_t stride, bool average) {
  const Value identity = shortcut(s, x, width, stride, average);
  x = relu(batch_norm(s / "bn1", conv2d(s / "conv1", x, conv(width, 3, stride))));
  x = batch_norm(s / "bn2", conv2d(s / "conv2", x, conv(width, 3, 1)));
  return relu(add(x, identity));
}

Value bottleneck(const Scope& s, Value x, int64_t width, int64_t stride, int64_t groups,
                 int64_t group_width, bool average) {
  const Value identity = shortcut(s, x, 4 * width, stride, average);
  const int64_t inner = width * group_width / 64 * groups;
  Conv2dOptions grouped = conv(inner, 3, stride);
  grouped.groups = groups;
  x = relu(batch_norm(s / "bn1", conv2d(s / "conv1", x, conv(inner, 1, 1))));
  x = relu(batch_norm(s / "bn2", conv2d(s / "conv2", x, grouped)));
  x = batch_norm(s / "bn3", conv2d(s / "conv3", x, conv(4 * width, 1, 1)));
  return relu(add(x, identity));
}

void resnet(Model& model, const ResNetOptions& o) {
  Graph& g = model.graph;
  const Scope s = g.root();

  Value x = g.input(3);
  if (o.deep) {  // "conv1" is a Sequential: its numbers count activations too
    x = relu(batch_norm(s / "conv1" / 1, conv2d(s / "conv1" / 0, x, conv(32, 3, 2))));
    x = relu(batch_norm(s / "conv1" / 4, conv2d(s / "conv1" / 3, x, conv(32, 3, 1))));
    x = conv2d(s / "conv1" / 6, x, conv(64, 3, 1));
  } else {
    x = conv2d(s / "conv1", x, o.small_images ? conv(64, 3, 1) : conv(64, 7, 2));
  }
  x = relu(batch_norm(s / "bn1", x));
  if (!o.small_images) x = max_pool2d(x, {.kernel_size = 3, .stride = 2, .padding = 1});
  g.label("maxpool", x);
  model.stages = {"maxpool"};
  for (size_t stage = 0; stage < o.blocks.size(); ++stage) {
    const std::string layer = "layer" + std::to_string(stage + 1);
    for (int64_t i = 0; i < o.blocks[stage]; ++i) {
      const int64_t width = int64_t{64} << stage, stride = i == 0 && stage > 0 ? 2 : 1;
      x = o.bottleneck
              ? bottleneck(s / layer / i, x, width, stride, o.groups, o.group_width, o.deep)
              : basic_block(s / layer / i, x, width, stride, o.deep);
    }
    g.label(layer, x);
    model.stages.push_back(layer);
  }
  x = global_avg_pool(x);
  g.label("features", x);
  g.label("logits", linear(s / "fc", x, {.out_features = model.classes}));
}

}  // namespace limbic::models
