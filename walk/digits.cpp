#include "limbic/walk/digits.h"

#include <algorithm>

#include "limbic/network/predictor.h"
#include "limbic/nn/loss.h"
#include "limbic/nn/ops/activation.h"
#include "limbic/nn/ops/linear.h"
#include "limbic/nn/ops/pool2d.h"
#include "limbic/nn/ops/reshape.h"
#include "limbic/reference/glyphs.h"
#include "limbic/train/optimiser.h"

namespace limbic::walk {
namespace {

constexpr int64_t side = 28, batch = 32, steps = 400, unseen = 320;

// Of maps of 5 x 5, as these are of pictures of 28 x 28 alone.
Value flatten_maps(Graph& g, Value maps) {
  return g.append({.name = "flatten",
                   .op = std::make_shared<Flatten>(),
                   .src = {maps},
                   .channels = maps.channels() * 25,
                   .positions = 1});
}

Graph lenet() {
  Graph g;
  const Scope s = g.root();
  Value x =
      relu(conv2d(s / "conv1", g.input(1), {.out_channels = 6, .kernel_size = 5, .padding = 2}));
  x = relu(conv2d(s / "conv2", max_pool2d(x, {}), {.out_channels = 16, .kernel_size = 5}));
  x = relu(linear(s / "fc1", flatten_maps(g, max_pool2d(x, {})), {.out_features = 120}));
  x = relu(linear(s / "fc2", x, {.out_features = 84}));
  g.label("features", x);
  g.label("logits", linear(s / "fc3", x, {.out_features = 10}));
  return g;
}

Tensor to_tensor(const reference::Array& images) {
  Tensor out = Tensor::uninitialised(images.shape);
  std::transform(images.values.begin(), images.values.end(), out.data(),
                 [](double x) { return static_cast<float>(x); });
  return out;
}

double accuracy(const Graph& graph, const Parameters& parameters, uint64_t seed) {
  reference::Random random(seed);
  const reference::Glyphs glyphs = reference::draw_glyphs(unseen, random);
  Plan plan(graph, parameters, PlanOptions::inference({unseen, 1, side, side}));
  plan.run(to_tensor(glyphs.images));
  return network::evaluate_logits(plan.output("logits"), glyphs.labels).accuracy;
}

}  // namespace

Digits train_digits(uint64_t seed, const ProgressFunction& progress) {
  Digits d{.graph = lenet()};
  d.parameters = d.graph.initialise(seed);
  Plan plan(d.graph, d.parameters, PlanOptions::training({batch, 1, side, side}));
  train::Sgd sgd(plan, {});
  reference::Random random(seed + 1);
  std::vector<float> diff(batch * 10);
  for (int64_t step = 0; step < steps; ++step) {
    const reference::Glyphs glyphs = reference::draw_glyphs(batch, random);
    plan.run(to_tensor(glyphs.images));
    softmax_cross_entropy(plan.output("logits"), glyphs.labels, diff);
    sgd.step(diff, 0.01);
    if (progress) progress({.task = "learning digits", .done = step + 1, .total = steps});
  }
  plan.store(d.parameters);
  d.accuracy = accuracy(d.graph, d.parameters, seed + 2);
  require(d.accuracy >= 0.9, "the LeNet of the walk has not learned: ", 100 * d.accuracy,
          " % of unseen digits; another --seed may do");
  const reference::Glyphs one = reference::draw_glyphs(1, random);
  d.image = to_tensor(one.images);
  d.label = one.labels[0];
  return d;
}

}  // namespace limbic::walk
