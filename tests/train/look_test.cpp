#include "limbic/train/look.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "limbic/nn/ops/activation.h"
#include "limbic/nn/ops/conv2d.h"
#include "limbic/nn/ops/linear.h"
#include "limbic/nn/ops/pool2d.h"
#include "limbic/train/trainer.h"
#include "tests/train/patterns.h"

using namespace limbic;
using namespace limbic::train;
using namespace limbic::testing;

TEST_CASE("look: a histogram counts by sign and power of two") {
  const float inf = std::numeric_limits<float>::infinity();
  const std::vector<float> values = {1, 1.9f, -0.5f, 0, 0, 1e-30f, 1e30f, inf, std::nanf("")};
  const Histogram h = histogram_of(values);
  CHECK(h.count == 9);
  CHECK(h.zeros == 2);
  CHECK(h.not_finite == 2);
  CHECK(h.positive[0 - Histogram::least] == 2);
  CHECK(h.negative[-1 - Histogram::least] == 1);
  CHECK(h.positive.front() == 1);
  CHECK(h.positive.back() == 1);
  const Histogram three = histogram_of(std::vector<float>{1, 2, 3});
  CHECK(three.mean == doctest::Approx(2));
  CHECK(three.deviation == doctest::Approx(std::sqrt(2.0 / 3)));
}

TEST_CASE("look: planted dead ReLUs are counted, and no gradient reaches their weights") {
  Graph g;
  const Scope s = g.root();
  Value x = relu(conv2d(s / "conv", g.input(3), {.out_channels = 6, .kernel_size = 3}));
  x = activate(conv2d(s / "second", x, {.out_channels = 5}), Activation::clamp(0, 6));
  g.label("logits", linear(s / "fc", global_avg_pool(x), {.out_features = 2}));
  Parameters parameters = g.initialise(3);
  const auto plant = [&](const char* name, std::initializer_list<int64_t> channels, float value) {
    Tensor bias = parameters.at(name).value.clone();
    for (int64_t c : channels) bias.data()[c] = value;
    parameters.set(name, bias);
  };
  plant("conv.bias", {0, 1, 2, 3, 4, 5}, 50);  // all alive
  plant("conv.bias", {1, 4}, -1000);
  plant("second.bias", {0, 1, 2, 3, 4}, -1e6f);  // all dead
  Tensor images({4, 3, 8, 8});
  Random random(2);
  for (float& v : images.values()) v = static_cast<float>(random.normal());
  const std::vector<int64_t> labels = {0, 1, 0, 1};
  Looker looker(g, parameters, {4, 3, 8, 8}, {}, {}, {});
  const Look look = looker.look(7, parameters, images, labels);
  CHECK(look.step == 7);
  REQUIRE(look.layers.size() == 5);
  CHECK(look.layers[0].name == "conv");
  CHECK(look.layers[0].channels == 0);  // of a convolution none is said to be dead
  CHECK(look.layers[1].channels == 6);
  CHECK(look.layers[1].dead == 2);
  CHECK(look.layers[3].channels == 5);
  CHECK(look.layers[3].dead == 5);
  CHECK(look.layers[3].output.zeros == look.layers[3].output.count);
  // Behind them nothing learns.
  CHECK(look.layers[0].gradients.zeros == look.layers[0].gradients.count);
  CHECK(look.layers[0].gradients.count == 6 * 3 * 9);
  CHECK(look.layers[4].gradients.count == 10);
  CHECK(look.layers[0].weights.count == 6 * 3 * 9);

  // Alive again after the weights have changed; a frozen layer has no gradient to look at.
  plant("conv.bias", {1, 4}, 50);
  plant("second.bias", {0, 1, 2, 3, 4}, 1);
  CHECK(looker.look(8, parameters, images, labels).layers[1].dead == 0);
  Looker frozen(g, parameters, {4, 3, 8, 8}, {"conv"}, {}, {});
  CHECK(frozen.look(8, parameters, images, labels).layers[0].gradients.count == 0);
}

TEST_CASE("look: training gives the same bits whether it is looked at or not") {
  const Pictures p;
  const models::Model model = models::build_model("resnet8", 3);
  TrainOptions o = quick(2);
  Parameters alone = model.graph.initialise(1), seen = model.graph.initialise(1);
  train::train(model, alone, p.data, o);
  std::vector<int64_t> steps;
  o.after_look = [&](const std::vector<Look>& looks) { steps.push_back(looks.back().step); };
  train::train(model, seen, p.data, o);
  CHECK(first_difference(alone, seen) == "");
  CHECK(steps.size() >= 2);
  CHECK(steps.front() == 1);
}
