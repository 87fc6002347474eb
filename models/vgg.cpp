// VGG, Simonyan and Zisserman 2014, arXiv:1409.1556, configurations D and E, without and with batch
// norm; torchvision's layer numbers.
#include "limbic/models/families.h"
#include "limbic/nn/ops/activation.h"
#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/ops/conv2d.h"
#include "limbic/nn/ops/dropout.h"
#include "limbic/nn/ops/linear.h"
#include "limbic/nn/ops/pool2d.h"
#include "limbic/nn/ops/reshape.h"

namespace limbic::models {
namespace {

Value dense(const Scope& s, Value x, int64_t out_features) {
  return linear(s, x,
                {.out_features = out_features, .init = WeightInit::normal_001, .zero_bias = true});
}

}  // namespace

void vgg(Model& model, const VggOptions& o) {
  Graph& g = model.graph;
  const Scope s = g.root() / "features";

  Value x = g.input(3);
  int64_t layer = 0;  // torchvision numbers convolutions, norms, ReLUs and pools
  for (size_t block = 0; block < o.convolutions.size(); ++block) {
    for (int64_t i = 0; i < o.convolutions[block]; ++i) {
      x = conv2d(s / layer++, x,
                 {.out_channels = block < 3 ? int64_t{64} << block : 512,
                  .kernel_size = 3,
                  .padding = 1,
                  .init = WeightInit::kaiming_normal_fan_out,
                  .zero_bias = true});
      if (o.batch_norm) x = batch_norm(s / layer++, x);
      x = relu(x);
      ++layer;
    }
    x = max_pool2d(x, {.kernel_size = 2, .stride = 2});
    model.stages.push_back("features." + std::to_string(layer++));
    g.label(model.stages.back(), x);
  }
  const Scope c = g.root() / "classifier";
  x = relu(dense(c / 0, flatten(adaptive_avg_pool2d(x, 7)), 4096));
  x = relu(dense(c / 3, dropout(x, 0.5), 4096));
  g.label("features", x);
  g.label("logits", dense(c / 6, dropout(x, 0.5), model.classes));
}

}  // namespace limbic::models
