// Networks of one's own, planned, run and held against the plain loops.
#include <cstdio>

#include "examples/add_a_network/tiny.h"

namespace {

// Whether each layer gives what the plain loops give.
bool computes_as_plain_loops(const limbic::models::Architecture& architecture) {
  using namespace limbic;
  models::add_architecture(architecture);
  const models::Model model = models::build_model(architecture.name, 8);
  const Parameters parameters = model.graph.initialise(0);
  Tensor images({2, 3, 32, 32});
  Random random(1);
  for (float& x : images.values()) x = static_cast<float>(random.normal());
  const auto layers = twins::compare_layers(model.graph, parameters, images,
                                            PlanOptions::inference({2, 3, 32, 32}));
  const std::string report = twins::to_string(layers, 1e-4);
  std::printf("%s", report.c_str());
  return report.find("TOO FAR") == std::string::npos;
}

}  // namespace

int main() {
  using namespace limbic;
  models::add_architecture(tiny);
  const models::Model model = models::build_model("tiny", 8);
  const Parameters parameters = model.graph.initialise(0);
  Plan plan(model.graph, parameters, PlanOptions::inference({2, 3, 32, 32}));
  plan.run(Tensor({2, 3, 32, 32}));
  std::printf("%s: features %s, logits %s\n", model.name.c_str(),
              to_string(plan.output("features").shape()).c_str(),
              to_string(plan.output("logits").shape()).c_str());
  const bool right = computes_as_plain_loops(tiny_inception);
  return right && plan.output("logits").shape() == Shape{2, 8} ? 0 : 1;
}
