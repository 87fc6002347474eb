// Every speed-up of training against the plain path: the same losses over 20 steps.
#include <doctest/doctest.h>

#include <limits>

#include "models/models.h"
#include "nn/loss.h"
#include "tests/reference/deterministic.h"
#include "train/optimiser.h"

using namespace limbic;

namespace {

constexpr int64_t never = std::numeric_limits<int64_t>::max();

struct Way {
  const char* name;
  bool fuse, winograd;
  int64_t recompute_above;
};

std::vector<double> losses(const Model& model, int64_t size, const Way& way) {
  const Shape shape = {8, 3, size, size};
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
    curve.push_back(softmax_cross_entropy(logits.values(), labels, diff));
    sgd.step(diff, 0.005);
  }
  return curve;
}

}  // namespace

TEST_CASE("training: each speed-up gives the plain path's losses over 20 steps") {
  const std::pair<const char*, int64_t> networks[] = {
      {"resnet18", 64}, {"resnet20", 32}, {"densenet_small", 32}};
  const Way plain = {"plain", false, false, never};
  const Way ways[] = {{"passes", true, false, never},
                      {"winograd", false, true, never},
                      {"rebuilt values", false, false, 0},
                      {"all", true, true, 0}};
  for (const auto& [network, size] : networks) {
    const char* name = network;  // clang 14 cannot capture a structured binding
    CAPTURE(name);
    const Model model = build_model(name, 5);
    const auto expected = losses(model, size, plain);
    CHECK(expected.back() < 0.7 * expected.front());  // it learns: the curve says something
    for (const Way& way : ways) {
      CAPTURE(way.name);
      const auto got = losses(model, size, way);
      double worst = 0;
      for (size_t i = 0; i < got.size(); ++i)
        worst = std::max(worst, std::abs(got[i] - expected[i]) / expected[i]);
      MESSAGE(name << ", " << way.name << ": largest relative difference " << worst);
      CHECK(worst < 1e-3);
    }
  }
}
