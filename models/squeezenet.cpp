// SqueezeNet 1.1, Iandola et al. 2016, arXiv:1602.07360; torchvision's layer numbers.
#include "models/models.h"
#include "nn/ops/concat.h"
#include "nn/ops/conv2d.h"
#include "nn/ops/dropout.h"
#include "nn/ops/pool2d.h"
#include "nn/ops/relu.h"

namespace limbic {
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

Model squeezenet1_1(int64_t classes) {
  Model model{
      .name = "squeezenet1_1", .graph = {}, .classes = classes, .classifier = "classifier.1"};
  Graph& g = model.graph;
  const Scope s = g.root() / "features";

  Value x = conv_relu(s / "0", g.input(3), {.out_channels = 64, .kernel_size = 3, .stride = 2});
  struct Fire {
    int64_t layer, squeeze, expand;
    bool pool_before;
  };
  for (const Fire& f : {Fire{3, 16, 64, true}, Fire{4, 16, 64, false}, Fire{6, 32, 128, true},
                        Fire{7, 32, 128, false}, Fire{9, 48, 192, true}, Fire{10, 48, 192, false},
                        Fire{11, 64, 256, false}, Fire{12, 64, 256, false}}) {
    x = fire(s / f.layer, f.pool_before ? pool(x) : x, f.squeeze, f.expand);
    model.stages.push_back("features." + std::to_string(f.layer));
    g.label(model.stages.back(), x);
  }
  g.label("features", global_avg_pool(x));
  x = conv2d(g.root() / "classifier" / "1", dropout(x, 0.5),
             {.out_channels = classes, .init = WeightInit::normal_001, .zero_bias = true});
  g.label("logits", global_avg_pool(relu(x)));
  return model;
}

}  // namespace limbic
