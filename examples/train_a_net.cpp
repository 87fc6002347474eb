// Trains a small network on pictures that it makes itself: stripes that run along one of three
// directions, in noise. This is the whole of training, without data sets on disk, schedules or
// checkpoints; train/trainer.h has those.
#include <cmath>
#include <cstdio>
#include <vector>

#include "limbic/network/predictor.h"
#include "limbic/nn/loss.h"
#include "limbic/nn/ops/activation.h"
#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/ops/conv2d.h"
#include "limbic/nn/ops/linear.h"
#include "limbic/nn/ops/pool2d.h"
#include "limbic/train/optimiser.h"

using namespace limbic;
using namespace limbic::network;
using namespace limbic::train;

constexpr int64_t batch_size = 32, size = 16, classes = 3;

// Stripes of a random phase, across (label 0), down (1) or both ways, a checker pattern (2).
void draw(int64_t label, Random& random, float* picture) {
  const double phase_x = random.uniform(0, 6.28), phase_y = random.uniform(0, 6.28);
  for (int64_t c = 0; c < 3; ++c)
    for (int64_t y = 0; y < size; ++y)
      for (int64_t x = 0; x < size; ++x) {
        const double across = std::sin(1.5 * static_cast<double>(y) + phase_y);
        const double down = std::sin(1.5 * static_cast<double>(x) + phase_x);
        const double value = label == 0 ? across : label == 1 ? down : across * down;
        *picture++ = static_cast<float>(value + random.normal());
      }
}

int main() {
  Graph graph;
  const Scope root = graph.root();
  Value x = graph.input(3);
  x = relu(
      batch_norm(root / "bn1", conv2d(root / "conv1", x, {.out_channels = 8, .kernel_size = 3})));
  x = max_pool2d(x, {.kernel_size = 2, .stride = 2});
  x = relu(
      batch_norm(root / "bn2", conv2d(root / "conv2", x, {.out_channels = 16, .kernel_size = 3})));
  graph.label("logits", linear(root / "fc", global_avg_pool(x), {.out_features = classes}));

  // A training plan keeps what backward needs, normalises with each batch's own statistics, and
  // gives each parameter a gradient.
  Parameters parameters = graph.initialise(1);
  const Shape input = {batch_size, 3, size, size};
  Plan plan(graph, parameters, PlanOptions::training(input));
  Sgd sgd(plan, {.momentum = 0.9, .weight_decay = 1e-4});

  Tensor images(input);
  std::vector<int64_t> labels(batch_size);
  std::vector<float> diff(batch_size * classes);
  Random random(7);
  double first = 0, loss = 0;
  for (int64_t step = 0; step < 60; ++step) {
    for (size_t i = 0; i < labels.size(); ++i) {
      labels[i] = random.below(classes);
      draw(labels[i], random, images.rows(static_cast<int64_t>(i), images.dim(0)).data());
    }
    plan.run(images);  // forward
    loss = softmax_cross_entropy(plan.output("logits"), labels, diff);
    sgd.step(diff, 0.05);  // backward from d loss / d logits, and every parameter's update
    if (step == 0) first = loss;
    if (step % 10 == 0) std::printf("step %2ld  loss %.3f\n", step, loss);
  }
  std::printf("last     loss %.3f\n", loss);

  // The plan worked on its own copies; `store` brings trained values and statistics back.
  plan.store(parameters);
  Plan trained(graph, parameters, PlanOptions::inference(input));
  for (size_t i = 0; i < labels.size(); ++i) {
    labels[i] = random.below(classes);
    draw(labels[i], random, images.rows(static_cast<int64_t>(i), images.dim(0)).data());
  }
  trained.run(images);
  const double accuracy = evaluate_logits(trained.output("logits"), labels).accuracy;
  std::printf("accuracy on %ld fresh pictures: %.0f %%\n", batch_size, 100 * accuracy);
  return loss < 0.5 * first && accuracy > 0.8 ? 0 : 1;
}
