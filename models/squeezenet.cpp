// SqueezeNet 1.0 and 1.1, Iandola et al. 2016, arXiv:1602.07360; torchvision's layer numbers.
#include <map>

#include "limbic/models/models.h"
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

struct Fire {
  int64_t layer, squeeze, expand;
  bool pool_before;
};
struct Variant {
  int64_t stem_channels, stem_kernel;
  std::vector<Fire> fires;
};

const std::map<std::string, Variant> variants = {{"squeezenet1_0",
                                                  {96,
                                                   7,
                                                   {{3, 16, 64, true},
                                                    {4, 16, 64, false},
                                                    {5, 32, 128, false},
                                                    {7, 32, 128, true},
                                                    {8, 48, 192, false},
                                                    {9, 48, 192, false},
                                                    {10, 64, 256, false},
                                                    {12, 64, 256, true}}}},
                                                 {"squeezenet1_1",
                                                  {64,
                                                   3,
                                                   {{3, 16, 64, true},
                                                    {4, 16, 64, false},
                                                    {6, 32, 128, true},
                                                    {7, 32, 128, false},
                                                    {9, 48, 192, true},
                                                    {10, 48, 192, false},
                                                    {11, 64, 256, false},
                                                    {12, 64, 256, false}}}}};

}  // namespace

bool is_squeezenet(const std::string& name) { return variants.count(name) > 0; }

Model squeezenet(const std::string& name, int64_t classes) {
  const auto& [stem_channels, stem_kernel, fires] = variants.at(name);
  Model model{.name = name, .graph = {}, .classes = classes, .classifier = "classifier.1"};
  Graph& g = model.graph;
  const Scope s = g.root() / "features";

  Value x = conv_relu(s / "0", g.input(3),
                      {.out_channels = stem_channels, .kernel_size = stem_kernel, .stride = 2});
  for (const Fire& f : fires) {
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

}  // namespace limbic::models
