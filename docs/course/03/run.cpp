// The lesson's example forward and backward; how near differences come to a gradient; a network
// that learns digits by backpropagation.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "example.h"
#include "exercise.h"
#include "reference/glyphs.h"
#include "reference/reshape.h"
#include "reference/sgd.h"

using namespace limbic::course;
using limbic::reference::Glyphs;
using limbic::reference::Random;

namespace {

void print_example() {
  const Example e;
  const auto line = [&](const char* name, Graph::Value v) {
    std::printf("%-10s value %2g, gradient %g\n", name, e.graph.value(v)[0],
                e.graph.gradient(v)[0]);
  };
  line("x", e.x), line("w", e.w), line("b", e.b);
  line("h = w x+b", e.h), line("s = h + x", e.s), line("y = relu s", e.y);
}

Array uniform(Shape shape, double bound, Random& random) {
  Array out(std::move(shape));
  for (double& x : out.values) x = random.uniform(-bound, bound);
  return out;
}

/// Two linear layers, 196 pixels -> 32 -> 10 digits; the parameters are the graph's first values.
struct Network {
  std::vector<Array> parameters, velocity;

  explicit Network(Random& random)
      : parameters{uniform({32, 196}, std::sqrt(6.0 / 196), random), Array({32}),
                   uniform({10, 32}, std::sqrt(6.0 / 32), random), Array({10})} {
    for (const Array& p : parameters) velocity.emplace_back(p.shape);
  }

  Graph::Value logits(Graph& g, const Array& pixels) const {
    std::vector<Graph::Value> p;
    for (const Array& parameter : parameters) p.push_back(g.input(parameter));
    return g.linear(g.relu(g.linear(g.input(pixels), p[0], p[1])), p[2], p[3]);
  }

  double loss(const Array& pixels, const std::vector<int64_t>& labels) const {
    Graph g;
    return g.value(g.cross_entropy(logits(g, pixels), labels))[0];
  }

  double step(const Array& pixels, const std::vector<int64_t>& labels) {
    Graph g;
    const Graph::Value loss = g.cross_entropy(logits(g, pixels), labels);
    g.backward(loss);
    for (size_t i = 0; i < parameters.size(); ++i)
      sgd_step(parameters[i], velocity[i], g.gradient(i), {.learning_rate = 0.05, .momentum = 0.9});
    return g.value(loss)[0];
  }
};

/// 14x14 pixels in a row.
Array pixels_of(const Glyphs& glyphs) {
  return limbic::reference::flatten(limbic::reference::avg_pool2d(glyphs.images, {}));
}

/// The largest difference between backpropagation's gradient of the last weights and differences.
double largest_difference(const Network& network, const Glyphs& glyphs, double h) {
  const Array pixels = pixels_of(glyphs);
  Graph g;
  g.backward(g.cross_entropy(network.logits(g, pixels), glyphs.labels));
  Network moved = network;
  const Array differences = numerical_gradient(
      [&](const Array& weight) {
        moved.parameters[2] = weight;
        return moved.loss(pixels, glyphs.labels);
      },
      network.parameters[2], h);
  double largest = 0;
  for (int64_t i = 0; i < 320; ++i)
    largest = std::max(largest, std::abs(differences[i] - g.gradient(2)[i]));
  return largest;
}

double share_right(const Network& network, const Glyphs& glyphs) {
  Graph g;
  const Array& logits = g.value(network.logits(g, pixels_of(glyphs)));
  int64_t right = 0;
  for (int64_t n = 0; n < logits.shape[0]; ++n) {
    int64_t best = 0;
    for (int64_t c = 1; c < 10; ++c)
      if (logits.at(n, c) > logits.at(n, best)) best = c;
    right += best == glyphs.labels[static_cast<size_t>(n)];
  }
  return 100.0 * static_cast<double>(right) / static_cast<double>(logits.shape[0]);
}

}  // namespace

int main() {
  print_example();

  Random random(1), training(2), test(3);
  Network network(random);
  std::printf("\nbackpropagation beside central differences, 320 weights:\n");
  const Glyphs few = draw_glyphs(4, training);
  for (const double h : {1e-1, 1e-2, 1e-3, 1e-5, 1e-8, 1e-11})
    std::printf("h = %.0e: largest difference %.0e\n", h, largest_difference(network, few, h));

  std::printf("\n");
  double mean = 0;
  for (int step = 1; step <= 1000; ++step) {
    const Glyphs batch = draw_glyphs(32, training);
    mean += network.step(pixels_of(batch), batch.labels) / 200;
    if (step % 200 != 0) continue;
    std::printf("steps %4d to %4d: mean loss %.4f\n", step - 199, step, mean);
    mean = 0;
  }
  std::printf("right on %.1f %% of 1000 unseen pictures\n",
              share_right(network, draw_glyphs(1000, test)));
}
