// Trains a small U-Net (Ronneberger et al. 2015, arXiv:1505.04597) to find the circles in pictures
// that it draws itself: a circle and a square of one brightness, in noise. The answer is a picture
// too, a logit for each pixel: dense prediction.
#include <cmath>
#include <cstdio>

#include "limbic/nn/loss.h"
#include "limbic/nn/ops/activation.h"
#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/ops/concat.h"
#include "limbic/nn/ops/conv2d.h"
#include "limbic/nn/ops/pool2d.h"
#include "limbic/nn/ops/upsample.h"
#include "limbic/train/optimiser.h"

using namespace limbic;

constexpr int64_t batch_size = 16, size = 32;

// Two 3x3 convolutions, each with batch norm and ReLU: (N,C,H,W) -> (N,channels,H,W).
Value double_conv(const Scope& s, Value x, int64_t channels) {
  for (const char* i : {"1", "2"}) {
    x = conv2d(s / (std::string("conv") + i), x,
               {.out_channels = channels, .kernel_size = 3, .padding = 1, .bias = false});
    x = relu(batch_norm(s / (std::string("bn") + i), x));
  }
  return x;
}

// Down to an eighth of the size and up again; on the way up each stage also sees what the way down
// knew at its size. (N,1,H,W) -> "logits" (N,1,H,W), H and W multiples of 8.
Graph unet() {
  Graph graph;
  const Scope root = graph.root();
  Value x = graph.input(1);
  std::vector<Value> skips;
  for (int64_t depth = 0; depth < 3; ++depth) {
    skips.push_back(double_conv(root / ("down" + std::to_string(depth)), x, 8 << depth));
    x = max_pool2d(skips.back(), {.kernel_size = 2, .stride = 2});
  }
  x = double_conv(root / "bottom", x, 64);
  for (int64_t depth = 2; depth >= 0; --depth) {
    x = concat({upsample(x), skips[static_cast<size_t>(depth)]});
    x = double_conv(root / ("up" + std::to_string(depth)), x, 8 << depth);
  }
  graph.label("logits", conv2d(root / "head", x, {.out_channels = 1, .kernel_size = 1}));
  return graph;
}

struct Batch {
  Tensor images, masks;  ///< (N,1,H,W); a mask is 1 on the circle.
};

Batch draw(Random& random) {
  Batch batch{Tensor({batch_size, 1, size, size}), Tensor({batch_size, 1, size, size})};
  float *pixel = batch.images.data(), *mask = batch.masks.data();
  for (int64_t n = 0; n < batch_size; ++n) {
    const double radius = random.uniform(4, 7), half = random.uniform(3.5, 6);
    const double circle_x = random.uniform(7, 25), circle_y = random.uniform(7, 25);
    const double square_x = random.uniform(6, 26), square_y = random.uniform(6, 26);
    for (int64_t y = 0; y < size; ++y)
      for (int64_t x = 0; x < size; ++x) {
        const auto px = static_cast<double>(x), py = static_cast<double>(y);
        const bool circle = std::hypot(px - circle_x, py - circle_y) < radius;
        const bool square = std::max(std::abs(px - square_x), std::abs(py - square_y)) < half;
        *pixel++ = static_cast<float>((circle || square ? 1 : -1) + 0.3 * random.normal());
        *mask++ = circle ? 1 : 0;
      }
  }
  return batch;
}

// Intersection over union of the pixels that are called circle and those that are.
double iou(const Tensor& logits, const Tensor& masks) {
  double both = 0, either = 0;
  for (int64_t i = 0; i < masks.size(); ++i) {
    const bool found = logits.data()[i] > 0, wanted = masks.data()[i] > 0;
    both += found && wanted;
    either += found || wanted;
  }
  return either > 0 ? both / either : 1;
}

// Of 64 fresh pictures, computed as in inference.
double measure(const Graph& graph, const Parameters& parameters) {
  Plan plan(graph, parameters, PlanOptions::inference({batch_size, 1, size, size}));
  Random random(99);
  double sum = 0;
  for (int i = 0; i < 4; ++i) {
    const Batch batch = draw(random);
    plan.run(batch.images);
    sum += iou(plan.output("logits"), batch.masks) / 4;
  }
  return sum;
}

int main() {
  const Graph graph = unet();
  Parameters parameters = graph.initialise(1);
  const double before = measure(graph, parameters);

  Plan plan(graph, parameters, PlanOptions::training({batch_size, 1, size, size}));
  train::Adam adam(plan, {});
  Tensor diff({batch_size, 1, size, size});
  Random random(7);
  double first = 0, loss = 0;
  for (int64_t step = 0; step < 160; ++step) {
    const Batch batch = draw(random);
    plan.run(batch.images);
    loss = binary_cross_entropy(plan.output("logits"), batch.masks, diff.values());
    adam.step(diff.values(), 3e-3);
    if (step == 0) first = loss;
    if (step % 25 == 0) std::printf("step %3ld  loss %.3f\n", step, loss);
  }
  plan.store(parameters);
  const double after = measure(graph, parameters);
  std::printf("last      loss %.3f\nIoU on fresh pictures: %.2f before, %.2f after\n", loss, before,
              after);
  return loss < 0.3 * first && after > 0.8 && after > before + 0.3 ? 0 : 1;
}
