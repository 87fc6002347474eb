// Every speed-up of training against the plain path: the same losses over 20 steps.
#include <doctest/doctest.h>

#include <limits>

#include "limbic/models/models.h"
#include "limbic/nn/loss.h"
#include "limbic/train/optimiser.h"
#include "tests/reference/deterministic.h"

using namespace limbic;
using namespace limbic::models;
using namespace limbic::train;

namespace {

constexpr int64_t never = std::numeric_limits<int64_t>::max();

// The learning rate is such that 20 steps learn much and do not yet blow rounding up.
struct Task {
  const char* network;
  int64_t size;
  double learning_rate;
};

struct Way {
  const char* name;
  bool fuse, winograd;
  int64_t recompute_above;
};

std::vector<double> losses(const Model& model, const Task& task, const Way& way) {
  const Shape shape = {8, 3, task.size, task.size};
  PlanOptions options = PlanOptions::training(shape);
  options.dropout = false;
  options.keep_parameter_gradients = false;
  options.fuse = way.fuse;
  options.winograd = way.winograd;
  options.recompute_above = way.recompute_above;
  const Parameters parameters = model.graph.initialise(3);
  Plan plan(model.graph, parameters, options);
  Sgd sgd(plan, {.momentum = 0.9, .weight_decay = 1e-4});
  const Tensor images = golden_input(shape);
  const std::vector<int64_t> labels = {0, 1, 2, 3, 4, 0, 1, 2};
  std::vector<float> diff(static_cast<size_t>(8 * model.classes));
  std::vector<double> curve;
  for (int step = 0; step < 20; ++step) {
    plan.run(images);
    const Tensor logits = plan.output("logits");
    curve.push_back(softmax_cross_entropy(logits, labels, diff));
    sgd.step(diff, task.learning_rate);
  }
  return curve;
}

}  // namespace

TEST_CASE("training: each speed-up gives the plain path's losses over 20 steps") {
  const Task tasks[] = {
      {"resnet18", 64, 0.001}, {"resnet20", 32, 0.001}, {"densenet_small", 32, 0.005}};
  const Way plain = {"plain", false, false, never};
  const Way ways[] = {{"passes", true, false, never},
                      {"winograd", false, true, never},
                      {"rebuilt values", false, false, 0},
                      {"all", true, true, 0}};
  for (const Task& task : tasks) {
    CAPTURE(task.network);
    const Model model = build_model(task.network, 5);
    const auto expected = losses(model, task, plain);
    CHECK(expected.back() < 0.9 * expected.front());  // it learns: the curve says something
    for (const Way& way : ways) {
      CAPTURE(way.name);
      const auto got = losses(model, task, way);
      double worst = 0;
      for (size_t i = 0; i < got.size(); ++i)
        worst = std::max(worst, std::abs(got[i] - expected[i]));
      MESSAGE(std::string(task.network)
              << ", " << std::string(way.name) << ": losses from " << expected.front() << " to "
              << expected.back() << ", largest difference " << worst);
      CHECK(worst < 1e-3);
    }
  }
}
