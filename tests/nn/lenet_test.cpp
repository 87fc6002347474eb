// The framework and reference/ train the same network alike.
#include "limbic/reference/lenet.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "limbic/nn/loss.h"
#include "limbic/nn/ops/activation.h"
#include "limbic/nn/ops/conv2d.h"
#include "limbic/nn/ops/linear.h"
#include "limbic/nn/ops/pool2d.h"
#include "limbic/nn/ops/reshape.h"
#include "limbic/train/optimiser.h"
#include "limbic/twins/check_gradient.h"

using namespace limbic;
using namespace limbic::train;

namespace {

constexpr int64_t batch = 8;

Graph lenet() {
  Graph g;
  const Scope s = g.root();
  Value x = g.input(1);
  x = relu(conv2d(s / "conv1", x, {.out_channels = 6, .kernel_size = 5, .padding = 2}));
  x = max_pool2d(x, {});
  x = max_pool2d(relu(conv2d(s / "conv2", x, {.out_channels = 16, .kernel_size = 5})), {});
  x = flatten(adaptive_avg_pool2d(x, 5));  // 5x5 already; so flatten knows
  x = relu(linear(s / "fc1", x, {.out_features = 120}));
  x = relu(linear(s / "fc2", x, {.out_features = 84}));
  g.label("logits", linear(s / "fc3", x, {.out_features = 10}));
  return g;
}

Tensor to_tensor(const reference::Array& array) {
  Tensor out(array.shape);
  std::transform(array.values.begin(), array.values.end(), out.values().begin(),
                 [](double x) { return static_cast<float>(x); });
  return out;
}

}  // namespace

TEST_CASE("lenet: losses and weights of training equal the reference's") {
  for (const bool nesterov : {false, true}) {
    CAPTURE(nesterov);
    reference::LeNet plain(5);
    const Graph graph = lenet();
    Parameters parameters = graph.initialise(0);
    for (auto& [name, array] : plain.parameters) {
      parameters.set(name, to_tensor(array));
      array = twins::from_tensor(parameters.at(name).value);  // both start from the same f32
    }
    Plan plan(graph, parameters, PlanOptions::training({batch, 1, 28, 28}));
    Sgd sgd(plan, {.momentum = 0.9, .nesterov = nesterov, .weight_decay = 1e-3});

    reference::Random random(6);
    std::vector<float> diff(static_cast<size_t>(batch * 10));
    double worst = 0;
    for (int step = 0; step < 6; ++step) {
      reference::Glyphs glyphs = reference::draw_glyphs(batch, random);
      const Tensor images = to_tensor(glyphs.images);
      glyphs.images = twins::from_tensor(images);
      plan.run(images);
      const double loss = softmax_cross_entropy(plan.output("logits"), glyphs.labels, diff);
      sgd.step(diff, 0.01);
      const double expected = plain.step(
          glyphs,
          {.learning_rate = 0.01, .momentum = 0.9, .nesterov = nesterov, .weight_decay = 1e-3});
      CHECK(std::abs(loss - expected) < 1e-5 * expected);
      worst = std::max(worst, std::abs(loss - expected) / expected);
    }
    plan.store(parameters);
    double worst_weight = 0;
    for (const auto& [name, array] : plain.parameters) {
      const auto& which = name;  // clang 14 cannot capture a structured binding
      CAPTURE(which);
      const double error =
          twins::relative_error(twins::from_tensor(parameters.at(name).value).values, array.values);
      CHECK(error < 1e-5);
      worst_weight = std::max(worst_weight, error);
    }
    MESSAGE("worst relative error of a loss " << worst << ", of a tensor of weights "
                                              << worst_weight);
  }
}

TEST_CASE("softmax_cross_entropy: loss and gradient equal the reference's") {
  Tensor logits({3, 4});
  Random random(8);
  for (float& x : logits.values()) x = static_cast<float>(3 * random.normal());
  const std::vector<int64_t> labels = {3, -1, 0};
  std::vector<float> diff(12);
  const double loss = softmax_cross_entropy(
      logits, labels, diff, {.class_weights = {0.5, 1, 2, 0.25}, .label_smoothing = 0.125});
  const reference::Loss expected = reference::softmax_cross_entropy(
      twins::from_tensor(logits), labels,
      {.class_weights = {0.5, 1, 2, 0.25}, .label_smoothing = 0.125});
  CHECK(std::abs(loss - expected.value) < 1e-12);
  CHECK(twins::relative_error(std::vector<double>(diff.begin(), diff.end()),
                              expected.logits.values) < 1e-7);
}

TEST_CASE("losses of each element: value and gradient equal the reference's") {
  Tensor x({3, 4}), targets({3, 4});
  Random random(8);
  for (float& v : x.values()) v = static_cast<float>(3 * random.normal());
  for (float& v : targets.values()) v = static_cast<float>(random.uniform());
  using Fast = double (*)(const Tensor&, const Tensor&, std::span<float>, double);
  using Plain = reference::Loss (*)(const reference::Array&, const reference::Array&);
  for (const auto& [fast, plain] :
       {std::pair<Fast, Plain>(mean_squared_error, reference::mean_squared_error),
        std::pair<Fast, Plain>(binary_cross_entropy, reference::binary_cross_entropy)}) {
    std::vector<float> diff(12, NAN);
    const double loss = fast(x, targets, diff, 0);
    const reference::Loss expected = plain(twins::from_tensor(x), twins::from_tensor(targets));
    CHECK(std::abs(loss - expected.value) < 1e-12);
    CHECK(twins::relative_error(std::vector<double>(diff.begin(), diff.end()),
                                expected.logits.values) < 1e-7);
    CHECK(fast(x, targets, {}, 24) == doctest::Approx(loss / 2).epsilon(1e-12));
    CHECK_THROWS_AS(fast(x, Tensor({4, 3}), {}, 0), Error);
    CHECK_THROWS_AS(fast(x, targets, std::span(diff).first(11), 0), Error);
  }
  // Neither overflows: torch.nn.functional.binary_cross_entropy_with_logits gives 1000 and 0.
  const Tensor far = Tensor::of(std::vector<float>{1000, -1000}, {1, 2});
  const Tensor zeros({1, 2});
  std::vector<float> diff(2, NAN);
  CHECK(binary_cross_entropy(far, zeros, diff) == 500);
  CHECK(diff == std::vector<float>{0.5f, 0});
  CHECK_THROWS_WITH(binary_cross_entropy(zeros, Tensor::of(std::vector<float>{0, 2}, {1, 2}), {}),
                    "binary cross-entropy: a target is 2");
}
