#include "limbic/walk/record.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "limbic/core/clock.h"
#include "limbic/core/parallel.h"
#include "limbic/nn/ops/conv2d.h"
#include "limbic/nn/ops/softmax.h"
#include "limbic/nn/plan.h"

namespace limbic::walk {
namespace {

template <class Work>
double fastest(int runs, const Work& work) {
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < runs; ++i) {
    const double start = now();
    work();
    best = std::min(best, now() - start);
  }
  return best;
}

// A 3x3 convolution that keeps its numbers in the cache, as oneDNN computes it.
double flops_of_convolution(int64_t channels, int64_t side) {
  Graph g;
  conv2d(g.root() / "conv", g.input(channels),
         {.out_channels = channels, .kernel_size = 3, .padding = 1});
  const Shape input = {1, channels, side, side};
  PlanOptions options = PlanOptions::inference(input);
  options.winograd = false;
  options.keep = {"conv"};
  Plan plan(g, g.initialise(0), options);
  const Tensor images(input);
  plan.run(images);
  const double seconds = fastest(20, [&] { plan.run(images); });
  return 2 * static_cast<double>(side * side * channels * channels * 9) / seconds;
}

double measure_bytes() {
  const int64_t bytes = int64_t{64} << 20;
  const Tensor from({bytes / 4}), to({bytes / 4});
  const double seconds = fastest(5, [&] {
    parallel_ranges(bytes, [&](int64_t begin, int64_t end) {
      std::memcpy(static_cast<char*>(to.raw()) + begin,
                  static_cast<const char*>(from.raw()) + begin, static_cast<size_t>(end - begin));
    });
  });
  return 2 * static_cast<double>(bytes) / seconds;
}

std::vector<char> sources_of(const Graph& graph, int head) {
  std::vector<char> out(static_cast<size_t>(graph.size()));
  out[static_cast<size_t>(head)] = 1;
  for (int n = head; n > 0; --n)
    if (out[static_cast<size_t>(n)])
      for (const int s : graph.node(n).src) out[static_cast<size_t>(s)] = 1;
  return out;
}

Graph with_softmax(const Graph& from) {
  Graph graph = from;
  const int logits = graph.find("logits");
  Value v{.graph = &graph, .node = logits};
  graph.label("probabilities", softmax(v));
  return graph;
}

void require_walkable(const Graph& graph, const std::vector<Shape>& shapes) {
  bool convolution = false;
  for (int n = 1; n < graph.size(); ++n) convolution = convolution || op_as<Conv2d>(graph, n);
  require(convolution, "a walk needs a network with a convolution, and this one has none");
  require(graph.labels().count("logits") > 0, "a walk ends at 'logits', which the network lacks");
  const Shape& logits = shapes[static_cast<size_t>(graph.find("logits"))];
  require(logits.size() == 2 && logits[1] > 1, "a walk needs a row of two logits or more, got ",
          to_string(logits));
}

// Names of the nodes that `wanted` marks, but for the picture.
std::vector<std::string> names(const Graph& graph, const std::vector<char>& wanted) {
  std::vector<std::string> out;
  for (int n = 1; n < graph.size(); ++n)
    if (wanted[static_cast<size_t>(n)]) out.push_back(graph.node(n).name);
  return out;
}

// Fastest run of each node: add() takes the profile's sums after each run.
class Fastest {
 public:
  void add(const std::vector<NodeTime>& sums) {
    for (const NodeTime& t : sums) {
      Of& of = times_[t.name];
      of.best.forward = std::min(of.best.forward, t.forward - of.sum.forward);
      of.best.backward = std::min(of.best.backward, t.backward - of.sum.backward);
      of.best.implementation = t.implementation;
      of.sum = t;
    }
  }
  NodeTime of(const std::string& name) const {
    const auto at = times_.find(name);
    return at == times_.end() ? NodeTime{} : at->second.best;
  }

 private:
  struct Of {
    NodeTime best{.forward = std::numeric_limits<double>::infinity(),
                  .backward = std::numeric_limits<double>::infinity()},
        sum;
  };
  std::map<std::string, Of> times_;
};

void record_values(Recording& r, const Tensor& image) {
  const std::vector<char> behind = sources_of(r.graph, r.logits());
  PlanOptions o = PlanOptions::inference(image.shape());
  o.fuse = false;
  o.gradients = o.input_gradient = true;
  o.keep = names(r.graph, std::vector<char>(behind.size(), 1));
  o.keep_gradients = names(r.graph, behind);
  Plan plan(r.graph, r.parameters, o);
  plan.run(image);
  const auto read = [&] {
    for (int n = 1; n < r.graph.size(); ++n)
      r.layers[static_cast<size_t>(n)].value = plan.output(r.graph.node(n).name);
  };
  read();
  const Tensor& p = r.probabilities();
  if (r.explained < 0)
    r.explained = std::max_element(p.values().begin(), p.values().end()) - p.values().begin();
  require(r.explained < p.size(), "class ", r.explained, ": expected 0 to ", p.size() - 1);
  std::vector<float> diff(static_cast<size_t>(p.size()));
  diff[static_cast<size_t>(r.explained)] = 1;
  Fastest times;
  plan.set_profiling(true);
  for (int run = 0; run < 3; ++run) {
    plan.run(image);
    plan.backward(diff);
    times.add(plan.profile());
  }
  r.layers[0].value = image;
  r.layers[0].gradient = plan.gradient("input");
  for (int n = 1; n < r.graph.size(); ++n) {
    const Node& node = r.graph.node(n);
    Layer& layer = r.layers[static_cast<size_t>(n)];
    if (!behind[static_cast<size_t>(n)]) continue;
    layer.gradient = plan.gradient(node.name);
    layer.backward = times.of(node.name).backward;
    if (!node.parameters.empty())
      layer.weight_gradient = plan.parameter_gradient(node.parameters[0]);
  }
}

// Forward alone, as nothing is kept for a gradient: each node by itself, and all as they are run.
void record_times(Recording& r, const Tensor& image) {
  PlanOptions o = PlanOptions::inference(image.shape());
  o.keep = {"probabilities"};
  Plan fused(r.graph, r.parameters, o);
  fused.run(image);
  r.seconds = fastest(5, [&] { fused.run(image); });
  r.arena_bytes = fused.arena_bytes();
  o.fuse = false;
  Plan plan(r.graph, r.parameters, o);
  plan.run(image);
  plan.set_profiling(true);
  Fastest times;
  for (int run = 0; run < 10; ++run) {
    plan.run(image);
    times.add(plan.profile());
  }
  for (int n = 1; n < r.graph.size(); ++n) {
    const NodeTime t = times.of(r.graph.node(n).name);
    Layer& layer = r.layers[static_cast<size_t>(n)];
    layer.forward = t.forward;
    layer.implementation = t.implementation;
  }
}

bool is_finite(const Tensor& t) {
  return t.empty() || std::all_of(t.values().begin(), t.values().end(),
                                  [](float x) { return std::isfinite(x); });
}

// Names the first layer, forward, whose values are not, else the last whose gradients are not.
void require_finite(const Recording& r) {
  const auto name = [&](int n) { return n == 0 ? "the picture" : r.graph.node(n).name; };
  for (int n = 0; n < r.graph.size(); ++n)
    require(is_finite(r.layers[static_cast<size_t>(n)].value), name(n),
            ": a value is not finite, and a walk would show nothing that means anything");
  for (int n = r.graph.size() - 1; n >= 0; --n) {
    const Layer& layer = r.layers[static_cast<size_t>(n)];
    require(is_finite(layer.gradient) && is_finite(layer.weight_gradient), name(n),
            ": a gradient is not finite, and a walk would show nothing that means anything");
  }
}

void count_work(Recording& r) {
  for (int n = 1; n < r.graph.size(); ++n) {
    const Node& node = r.graph.node(n);
    Layer& layer = r.layers[static_cast<size_t>(n)];
    std::vector<Shape> src;
    for (const int s : node.src) src.push_back(r.shapes[static_cast<size_t>(s)]);
    layer.multiply_adds = node.op->multiply_adds(src);
    for (const std::string& name : node.parameters)
      layer.weight_bytes += r.parameters.at(name).value.bytes();
    layer.bytes = layer.weight_bytes + 4 * count(r.shapes[static_cast<size_t>(n)]);
    for (const Shape& s : src) layer.bytes += 4 * count(s);
    const bool direct = layer.implementation.find("winograd") == std::string::npos;
    if (direct && layer.forward > 0)
      r.machine.flops =
          std::max(r.machine.flops, 2 * static_cast<double>(layer.multiply_adds) / layer.forward);
  }
  for (Layer& layer : r.layers)
    layer.roof = std::max(2 * static_cast<double>(layer.multiply_adds) / r.machine.flops,
                          static_cast<double>(layer.bytes) / r.machine.bytes);
}

}  // namespace

Machine measure_machine() {
  return {.flops = std::max(flops_of_convolution(64, 56), flops_of_convolution(128, 28)),
          .bytes = measure_bytes(),
          .threads = threads()};
}

Recording record(const Graph& graph, const Parameters& parameters, const Tensor& image,
                 int64_t explained) {
  require_walkable(graph, graph.infer(image.shape()));
  Recording r{.graph = with_softmax(graph), .parameters = parameters, .explained = explained};
  r.shapes = r.graph.infer(image.shape());
  r.layers.resize(r.shapes.size());
  record_values(r, image);
  require_finite(r);
  record_times(r, image);
  r.machine = measure_machine();
  count_work(r);
  return r;
}

int find_layer(const Recording& r, const std::string& name) {
  const auto label = r.graph.labels().find(name);
  if (label != r.graph.labels().end()) return label->second;
  std::string known;
  for (int n = 1; n < r.graph.size(); ++n) {
    if (r.graph.node(n).name == name) return n;
    if (n <= 8) known += (n > 1 ? ", " : "") + r.graph.node(n).name;
  }
  fail("no layer '", name, "'; there are ", known, r.graph.size() > 9 ? ", ... " : "",
       "(`limbic summary` lists them)");
}

std::vector<std::string> not_shown(const Recording& r) {
  std::vector<std::string> out;
  for (int n = 1; n < r.graph.size(); ++n)
    if (taps(r.graph, r.shapes, n, {}).empty())
      out.push_back(r.graph.node(n).name + " (" + r.graph.node(n).op->type() + ")");
  return out;
}

}  // namespace limbic::walk
