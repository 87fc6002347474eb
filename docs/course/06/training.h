#pragma once
// Two linear layers on digits of 14x14 pixels, and one way or another to train them.
#include <cmath>

#include "docs/course/03/graph.h"
#include "exercise.h"
#include "reference/glyphs.h"
#include "reference/reshape.h"

namespace limbic::course {

struct Training {
  double learning_rate = 0.1, momentum = 0.9;
  bool is_cosine = false;
  int64_t warmup = 0, steps = 300;
};

class Network {
 public:
  explicit Network(uint64_t seed) {
    reference::Random random(seed);
    for (const Shape& shape : {Shape{32, 196}, {32}, {10, 32}, {10}}) {
      Array& p = parameters_.emplace_back(shape);
      velocity_.emplace_back(shape);
      const double bound = std::sqrt(6.0 / static_cast<double>(shape.back()));
      if (shape.size() == 2)
        for (double& w : p.values) w = random.uniform(-bound, bound);
    }
  }

  double loss(const reference::Glyphs& batch) const {
    Graph g;
    return g.value(loss(g, batch))[0];
  }

  /// The loss before the step.
  double step(const reference::Glyphs& batch, const MomentumOptions& o) {
    Graph g;
    const Graph::Value last = loss(g, batch);
    g.backward(last);
    for (size_t i = 0; i < parameters_.size(); ++i)
      momentum_step(parameters_[i], velocity_[i], g.gradient(i), o);
    return g.value(last)[0];
  }

 private:
  Graph::Value loss(Graph& g, const reference::Glyphs& batch) const {
    std::vector<Graph::Value> p;
    for (const Array& parameter : parameters_) p.push_back(g.input(parameter));
    const Array pixels = reference::flatten(reference::avg_pool2d(batch.images, {}));
    const Graph::Value hidden = g.relu(g.linear(g.input(pixels), p[0], p[1]));
    return g.cross_entropy(g.linear(hidden, p[2], p[3]), batch.labels);
  }

  std::vector<Array> parameters_, velocity_;
};

/// The mean loss of each 20 steps, and at the end that of 500 pictures that were not trained on.
struct Losses {
  std::vector<double> training;
  double unseen;
};

inline Losses train(const Training& o) {
  reference::Random random(1), other(2);
  Network net(3);
  Losses losses{{}, 0};
  for (int64_t step = 0; step < o.steps; ++step) {
    const double rate =
        o.is_cosine ? learning_rate(step, {o.learning_rate, o.warmup, o.steps}) : o.learning_rate;
    if (step % 20 == 0) losses.training.push_back(0);
    losses.training.back() +=
        net.step(draw_glyphs(16, random), {.learning_rate = rate, .momentum = o.momentum}) / 20;
  }
  losses.unseen = net.loss(draw_glyphs(500, other));
  return losses;
}

}  // namespace limbic::course
