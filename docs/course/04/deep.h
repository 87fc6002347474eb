#pragma once
// A deep network of small linear layers, plain, with batch norm, or with batch norm and residuals.
#include "docs/course/03/graph.h"
#include "reference/glyphs.h"
#include "reference/reshape.h"
#include "reference/sgd.h"

namespace limbic::course {

enum class Kind { plain, batch_norm, residual };

/// 196 pixels -> 32 values -> blocks of two layers each -> 10 digits.
class Deep {
 public:
  static constexpr int blocks = 15, width = 32;

  Deep(Kind kind, uint64_t seed) : kind_(kind), random_(seed) {
    add_layer(width, 196);
    for (int i = 0; i < 2 * blocks; ++i) add_layer(width, width);
    add_layer(10, width);
  }

  /// The values behind the first layer and behind each block, then the logits.
  std::vector<Graph::Value> forward(Graph& g, const Array& pixels) {
    inputs_.clear();
    std::vector<Graph::Value> out = {g.relu(layer(g, g.input(pixels)))};
    for (int i = 0; i < blocks; ++i) {
      const Graph::Value x = out.back();
      const Graph::Value h = layer(g, g.relu(layer(g, x)));
      out.push_back(g.relu(kind_ == Kind::residual ? g.add(x, h) : h));
    }
    out.push_back(linear(g, out.back()));
    return out;
  }

  double step(const reference::Glyphs& batch) {
    Graph g;
    const Graph::Value loss = g.cross_entropy(forward(g, pixels_of(batch)).back(), batch.labels);
    g.backward(loss);
    for (size_t i = 0; i < parameters_.size(); ++i)
      sgd_step(parameters_[i], velocity_[i], g.gradient(inputs_[i]),
               {.learning_rate = 0.02, .momentum = 0.9});
    return g.value(loss)[0];
  }

  /// 14x14 pixels in a row.
  static Array pixels_of(const reference::Glyphs& glyphs) {
    return reference::flatten(reference::avg_pool2d(glyphs.images, {}));
  }

 private:
  // Weight and bias of the linear layer, weight and bias of the batch norm, for every layer.
  void add_layer(int64_t out, int64_t in) {
    Array weight({out, in}), ones({out});
    const double bound = std::sqrt(3.0 / static_cast<double>(in));
    for (double& w : weight.values) w = random_.uniform(-bound, bound);
    for (double& w : ones.values) w = 1;
    for (const Array& p : {weight, Array({out}), ones, Array({out})}) {
      parameters_.push_back(p);
      velocity_.emplace_back(p.shape);
    }
  }

  Graph::Value next(Graph& g) {
    inputs_.push_back(g.input(parameters_[inputs_.size()]));
    return inputs_.back();
  }
  Graph::Value linear(Graph& g, Graph::Value x) {
    const Graph::Value weight = next(g), bias = next(g);
    const Graph::Value y = g.linear(x, weight, bias);
    scale_ = next(g), shift_ = next(g);
    return y;
  }
  Graph::Value layer(Graph& g, Graph::Value x) {
    const Graph::Value y = linear(g, x);
    return kind_ == Kind::plain ? y : g.batch_norm(y, scale_, shift_);
  }

  Kind kind_;
  reference::Random random_;
  std::vector<Array> parameters_, velocity_;
  std::vector<Graph::Value> inputs_;  // the parameters' numbers in the graph of this step
  Graph::Value scale_ = 0, shift_ = 0;
};

/// The root of the mean square.
inline double size_of(const Array& a) {
  double sum = 0;
  for (const double x : a.values) sum += x * x;
  return std::sqrt(sum / static_cast<double>(a.values.size()));
}

/// Sizes of values and of their gradients behind the first layer and behind each block, untrained.
struct Sizes {
  std::vector<double> values, gradients;
};

inline Sizes sizes(Kind kind) {
  reference::Random random(1);
  const reference::Glyphs batch = draw_glyphs(64, random);
  Deep net(kind, 2);
  Graph g;
  const auto values = net.forward(g, Deep::pixels_of(batch));
  g.backward(g.cross_entropy(values.back(), batch.labels));
  Sizes out;
  for (size_t i = 0; i + 1 < values.size(); ++i) {
    out.values.push_back(size_of(g.value(values[i])));
    out.gradients.push_back(size_of(g.gradient(values[i])));
  }
  return out;
}

}  // namespace limbic::course
