// A dense block by hand, the channels of published DenseNets, what concatenating costs, and a small
// DenseNet that learns digits.
#include <cstdio>

#include "docs/course/03/graph.h"
#include "exercise.h"
#include "reference/glyphs.h"
#include "reference/sgd.h"

using namespace limbic::course;
using limbic::reference::Glyphs;
using limbic::reference::Random;

namespace {

void print_example() {
  Graph g;
  const Graph::Value x = g.input(array({1, 1, 1, 1}, {2}));
  const Graph::Value w0 = g.input(array({1, 1, 1, 1}, {3}));
  const Graph::Value w1 = g.input(array({1, 2, 1, 1}, {1, 0.5}));
  const Graph::Value y0 = g.relu(g.conv2d(x, w0, {}));
  const Graph::Value both = g.concat(x, y0);
  const Graph::Value y1 = g.relu(g.conv2d(both, w1, {}));
  g.backward(g.concat(both, y1));
  std::printf("x %g, y0 %g, y1 %g; gradients: y1 %g, y0 %g, x %g\n", g.value(x)[0], g.value(y0)[0],
              g.value(y1)[0], g.gradient(y1)[0], g.gradient(y0)[0], g.gradient(x)[0]);
}

/// Channels written while a block is computed: each concat makes a copy; or all in one array.
void print_memory(int64_t first, int64_t growth, int64_t layers) {
  int64_t copies = first;
  for (int64_t l = 1; l <= layers; ++l) copies += growth + first + growth * l;
  const int64_t shared = first + growth * layers;
  std::printf("%2d layers: %5d channels in copies, %4d in one array\n", static_cast<int>(layers),
              static_cast<int>(copies), static_cast<int>(shared));
}

/// A 3x3 convolution of stride 2, a dense block of 3 layers, a linear layer. 14x14 pixels -> 10.
class SmallDenseNet {
 public:
  explicit SmallDenseNet(uint64_t seed) : random_(seed) {
    add_weight({8, 1, 3, 3});
    for (int64_t l = 0; l < 3; ++l) {
      const int64_t in = 8 + 6 * l;
      add(ones({in})), add(Array({in}));
      add_weight({6, in, 3, 3});
    }
    add(ones({26})), add(Array({26}));
    add_weight({10, 26});
    add(Array({10}));
  }

  Graph::Value logits(Graph& g, const Glyphs& glyphs) const {
    std::vector<Graph::Value> p;
    for (const Array& parameter : parameters) p.push_back(g.input(parameter));
    Graph::Value x = g.input(limbic::reference::avg_pool2d(glyphs.images, {}));
    x = g.conv2d(x, p[0], {.stride = 2, .padding = 1});
    for (size_t l = 0; l < 3; ++l) x = layer(g, x, &p[1 + 3 * l]);
    x = g.global_avg_pool(g.relu(g.batch_norm(x, p[10], p[11])));
    return g.linear(x, p[12], p[13]);
  }

  double step(const Glyphs& batch) {
    Graph g;
    const Graph::Value loss = g.cross_entropy(logits(g, batch), batch.labels);
    g.backward(loss);
    for (size_t i = 0; i < parameters.size(); ++i)
      sgd_step(parameters[i], velocity_[i], g.gradient(i), {.learning_rate = 0.1, .momentum = 0.9});
    return g.value(loss)[0];
  }

  std::vector<Array> parameters;

 private:
  static Graph::Value layer(Graph& g, Graph::Value x, const Graph::Value* p) {
    const Graph::Value active = g.relu(g.batch_norm(x, p[0], p[1]));
    return g.concat(x, g.conv2d(active, p[2], {.padding = 1}));
  }

  static Array ones(Shape shape) {
    Array out(std::move(shape));
    for (double& x : out.values) x = 1;
    return out;
  }
  void add(const Array& parameter) {
    parameters.push_back(parameter);
    velocity_.emplace_back(parameter.shape);
  }
  void add_weight(const Shape& shape) {
    Array weight(shape);
    const double bound = std::sqrt(6 / static_cast<double>(count(shape) / shape[0]));
    for (double& w : weight.values) w = random_.uniform(-bound, bound);
    add(weight);
  }

  Random random_;
  std::vector<Array> velocity_;
};

void train() {
  Random training(1);
  SmallDenseNet net(2);
  int64_t weights = 0;
  for (const Array& p : net.parameters) weights += count(p.shape);
  std::printf("a DenseNet of %d weights:\n", static_cast<int>(weights));
  for (int part = 0; part < 5; ++part) {
    double mean = 0;
    for (int step = 0; step < 60; ++step) mean += net.step(draw_glyphs(16, training)) / 60;
    std::printf("steps %3d to %3d: mean loss %.3f\n", 60 * part + 1, 60 * part + 60, mean);
  }
}

}  // namespace

int main() {
  print_example();
  std::printf("\n");
  for (const auto& [name, net] : {std::pair{"densenet121", DenseNet{64, 32, {6, 12, 24, 16}}},
                                  {"densenet169", {64, 32, {6, 12, 32, 32}}},
                                  {"densenet201", {64, 32, {6, 12, 48, 32}}},
                                  {"densenet161", {96, 48, {6, 12, 36, 24}}}})
    std::printf("%s: %4d features\n", name, static_cast<int>(feature_channels(net)));
  std::printf("\nfrom 64 channels, growth 32:\n");
  for (const int64_t layers : {6, 12, 24, 48}) print_memory(64, 32, layers);
  std::printf("\n");
  train();
}
