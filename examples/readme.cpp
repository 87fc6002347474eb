#include <cstdio>

#include "limbic/limbic.hpp"

using namespace limbic;

int main() {
  Graph graph;  // what to compute
  const Scope s = graph.root();
  Value x = graph.input(3);  // pictures (N,3,H,W)
  x = relu(conv2d(s / "conv1", x, {.out_channels = 16, .kernel_size = 3, .padding = 1}));
  x = max_pool2d(x, {.kernel_size = 2, .stride = 2});
  x = relu(conv2d(s / "conv2", x, {.out_channels = 32, .kernel_size = 3, .padding = 1}));
  graph.label("logits", linear(s / "fc", global_avg_pool(x), {.out_features = 8}));

  const Parameters parameters = graph.initialise(0);                     // fresh, from seed 0
  Plan plan(graph, parameters, PlanOptions::inference({4, 3, 64, 64}));  // how to compute it
  plan.run(Tensor({4, 3, 64, 64}));                                      // four black pictures
  std::printf("logits %s\n", to_string(plan.output("logits").shape()).c_str());
}
