#include "examples/add_a_network/tiny.h"

namespace limbic {
namespace {

Value block(const Scope& s, Value x, int64_t channels, int64_t stride) {
  Value y = conv2d(
      s / "conv1", x,
      {.out_channels = channels, .kernel_size = 3, .stride = stride, .padding = 1, .bias = false});
  y = silu(batch_norm(s / "bn1", y));
  y = batch_norm(s / "bn2",
                 conv2d(s / "conv2", y,
                        {.out_channels = channels, .kernel_size = 3, .padding = 1, .bias = false}));
  if (stride != 1 || x.channels() != channels)
    x = batch_norm(s / "norm", conv2d(s / "shortcut", x,
                                      {.out_channels = channels, .stride = stride, .bias = false}));
  return silu(add(x, y));
}

void append_tiny(models::Model& model) {
  Graph& g = model.graph;
  const Scope s = g.root();
  Value x = g.input(3);
  for (int64_t stage = 0; stage < 3; ++stage) {
    const std::string name = "layer" + std::to_string(stage + 1);
    x = block(s / name, x, 16 << stage, stage == 0 ? 1 : 2);
    g.label(name, x);
    model.stages.push_back(name);
  }
  x = global_avg_pool(x);
  g.label("features", x);
  g.label("logits", linear(s / "fc", x, {.out_features = model.classes}));
}

Value unit(const Scope& s, Value x, int64_t channels, int64_t kernel_size) {
  return silu(batch_norm(s / "bn", conv2d(s / "conv", x,
                                          {.out_channels = channels,
                                           .kernel_size = kernel_size,
                                           .padding = kernel_size / 2,
                                           .bias = false})));
}

Value inception(const Scope& s, Value x, int64_t channels) {
  const Value one = unit(s / "one", x, channels, 1);
  const Value three =
      unit(s / "three" / "spread", unit(s / "three" / "reduce", x, channels, 1), channels, 3);
  const Value five =
      unit(s / "five" / "spread", unit(s / "five" / "reduce", x, channels / 2, 1), channels, 5);
  const Value pooled = max_pool2d(x, {.kernel_size = 3, .stride = 1, .padding = 1});
  return concat({one, three, five, unit(s / "pooled", pooled, channels, 1)});
}

void append_tiny_inception(models::Model& model) {
  Graph& g = model.graph;
  const Scope s = g.root();
  Value x = unit(s / "stem", g.input(3), 16, 3);
  for (int64_t stage = 0; stage < 3; ++stage) {
    const std::string name = "mixed" + std::to_string(stage + 1);
    if (stage > 0) x = max_pool2d(x, {.kernel_size = 3, .stride = 2, .padding = 1});
    x = inception(s / name, x, 8 << stage);
    g.label(name, x);
    model.stages.push_back(name);
  }
  x = global_avg_pool(x);
  g.label("features", x);
  g.label("logits", linear(s / "fc", x, {.out_features = model.classes}));
}

}  // namespace

const models::Architecture tiny = {
    .name = "tiny", .classifier = "fc", .append = append_tiny, .preset = "cifar", .image_size = 32};
const models::Architecture tiny_inception = {.name = "tiny_inception",
                                             .classifier = "fc",
                                             .append = append_tiny_inception,
                                             .preset = "cifar",
                                             .image_size = 32};

}  // namespace limbic
