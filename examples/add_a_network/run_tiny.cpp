// A network of one's own, planned and run.
#include <cstdio>

#include "examples/add_a_network/tiny.h"

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
  return plan.output("logits").shape() == Shape{2, 8} ? 0 : 1;
}
