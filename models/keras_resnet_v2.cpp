// ResNet V2 as keras.applications has it (He et al. 2016, arXiv:1603.05027): the stride of a stage
// sits in its last block, whose shortcut takes every second pixel. Keras' layer names.
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
  int64_t out_channels, kernel = 1, stride = 1;
  bool bias = false;
};

Value conv(const Scope& s, Value x, const Conv& o) {
  return conv2d(s, x,
                {.out_channels = o.out_channels,
                 .kernel_size = o.kernel,
                 .stride = o.stride,
                 .padding = o.kernel / 2,
                 .bias = o.bias,
                 .init = WeightInit::kaiming_normal_fan_out,
                 .zero_bias = true});
}

Value norm_relu(const Scope& s, Value x) {
  return relu(batch_norm(s, x, {.epsilon = 1.001e-5, .momentum = 0.01}));
}

// (N,C,H,W) -> (N,4 width,H/stride,W/stride).
Value block(const Scope& root, const std::string& name, Value src, int64_t width, int64_t stride,
            bool projects) {
  const auto layer = [&](const char* what) { return root / (name + what); };
  const Value pre = norm_relu(layer("_preact_bn"), src);
  Value shortcut = src;
  if (projects)
    shortcut = conv(layer("_0_conv"), pre, {4 * width, 1, stride, true});
  else if (stride > 1)
    shortcut = max_pool2d(src, {.kernel_size = 1, .stride = stride});
  Value x = norm_relu(layer("_1_bn"), conv(layer("_1_conv"), pre, {width}));
  x = norm_relu(layer("_2_bn"), conv(layer("_2_conv"), x, {width, 3, stride}));
  return add(conv(layer("_3_conv"), x, {4 * width, 1, 1, true}), shortcut);
}

}  // namespace

void keras_resnet_v2(Model& model, const KerasResNetOptions& o) {
  Graph& g = model.graph;
  const Scope s = g.root();
  Value x = conv(s / "conv1_conv", g.input(3), {64, 7, 2, true});
  x = max_pool2d(x, {.kernel_size = 3, .stride = 2, .padding = 1, .zero_padding = true});
  for (size_t stage = 0; stage < o.blocks.size(); ++stage) {
    const bool last_stage = stage + 1 == o.blocks.size();
    std::string name;
    for (int64_t i = 0; i < o.blocks[stage]; ++i) {
      name = "conv" + std::to_string(stage + 2) + "_block" + std::to_string(i + 1);
      const bool last = i + 1 == o.blocks[stage];
      x = block(s, name, x, int64_t{64} << stage, last && !last_stage ? 2 : 1, i == 0);
    }
    model.stages.push_back(name + "_out");
    g.label(model.stages.back(), x);
  }
  x = global_avg_pool(norm_relu(s / "post_bn", x));
  g.label("features", x);
  g.label("logits",
          linear(s / "predictions", x, {.out_features = model.classes, .zero_bias = true}));
}

}  // namespace limbic::models
