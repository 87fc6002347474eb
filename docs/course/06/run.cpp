// A loss and its gradient, the learning rates that a curvature allows, and training with several.
#include "training.h"

using namespace limbic::course;

namespace {

void print_example() {
  const std::vector<int64_t> label = {0};
  const CrossEntropy c = cross_entropy(array({1, 3}, {1, 2, 3}), label);
  std::printf("logits 1 2 3, label 0: loss %.4f, gradient %.4f %.4f %.4f\n", c.value, c.gradient[0],
              c.gradient[1], c.gradient[2]);
}

/// Descends f = (w0^2 + 25 w1^2) / 2 from (1, 1); how far from the minimum it ends.
double descend(const MomentumOptions& o) {
  Array w = numbers({1, 1}), velocity = numbers({0, 0});
  for (int step = 0; step < 50; ++step) momentum_step(w, velocity, numbers({w[0], 25 * w[1]}), o);
  return std::hypot(w[0], w[1]);
}

void print_descent() {
  std::printf("\ncurvatures 1 and 25, distance from the minimum after 50 steps:\n");
  for (const double rate : {0.01, 0.04, 0.0769, 0.081})
    std::printf("rate %.4f, momentum 0.00: %.1e\n", rate, descend({rate, 0}));
  std::printf("rate %.4f, momentum 0.44: %.1e\n", 1 / 9.0, descend({1 / 9.0, 4 / 9.0}));
}

void print_training(const char* name, const Training& o) {
  const Losses losses = train(o);
  std::printf("%-34s loss %.4f of the last 20 steps, %.4f of unseen pictures\n", name,
              losses.training.back(), losses.unseen);
}

}  // namespace

int main() {
  print_example();
  print_descent();
  std::printf("\ntwo layers, 300 steps of 16 digits, momentum 0.9:\n");
  print_training("rate 0.001", {.learning_rate = 0.001});
  print_training("rate 0.01", {.learning_rate = 0.01});
  print_training("rate 0.1", {.learning_rate = 0.1});
  print_training("rate 1", {.learning_rate = 1});
  print_training("rate 0.1, no momentum", {.learning_rate = 0.1, .momentum = 0});
  print_training("rate 0.2", {.learning_rate = 0.2});
  print_training("rate 0.2, cosine, warm-up of 20",
                 {.learning_rate = 0.2, .is_cosine = true, .warmup = 20});
}
