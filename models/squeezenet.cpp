// SqueezeNet 1.0 and 1.1, Iandola et al. 2016, arXiv:1602.07360; torchvision's layer numbers.
#include "limbic/models/families.h"
#include "limbic/nn/ops/activation.h"
#include "limbic/nn/ops/concat.h"
#include "limbic/nn/ops/conv2d.h"
#include "limbic/nn/ops/dropout.h"
#include "limbic/nn/ops/pool2d.h"

namespace limbic::models {
namespace {

Value conv_relu(const Scope& s, Value x, const Conv2dOptions& options) {
  Conv2dOptions o = options;
  o.init = WeightInit::kaiming_uniform_fan_in;
  o.zero_bias = true;
  return relu(conv2d(s, x, o));
}

Value fire(const Scope& s, Value x, int64_t squeeze, int64_t expand) {
  x = conv_relu(s / "squeeze", x, {.out_channels = squeeze});
  return concat(
      {conv_relu(s / "expand1x1", x, {.out_channels = expand}),
       conv_relu(s / "expand3x3", x, {.out_channels = expand, .kernel_size = 3, .padding = 1})});
}

Value pool(Value x) { return max_pool2d(x, {.kernel_size = 3, .stride = 2, .ceil_mode = true}); }

}  // namespace

void squeezenet(Model& model, const SqueezeNetOptions& o) {
  Graph& g = model.graph;
  const Scope s = g.root() / "features";

  Value x = conv_relu(s / "0", g.input(3),
                      {.out_channels = o.stem_channels, .kernel_size = o.stem_kernel, .stride = 2});
  for (const SqueezeNetOptions::Fire& f : o.fires) {
    x = fire(s / f.layer, f.pool_before ? pool(x) : x, f.squeeze, f.expand);
    model.stages.push_back("features." + std::to_string(f.layer));
    g.label(model.stages.back(), x);
  }
  g.label("features", global_avg_pool(x));
  x = conv2d(g.root() / "classifier" / "1", dropout(x, 0.5),
             {.out_channels = model.classes, .init = WeightInit::normal_001, .zero_bias = true});
  g.label("logits", global_avg_pool(relu(x)));
}

}  // namespace limbic::models
