// Rules that no result of one run shows: which random numbers a layer gets, which algorithm a
// convolution takes, what calibration makes of several batches.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <map>
#include <set>

#include "limbic/nn/calibrate.h"
#include "limbic/nn/ops/activation.h"
#include "limbic/nn/ops/add.h"
#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/ops/conv2d.h"
#include "limbic/nn/ops/dropout.h"
#include "limbic/nn/ops/pool2d.h"
#include "limbic/nn/plan.h"

using namespace limbic;

namespace {

std::vector<float> values(const Tensor& t) { return {t.values().begin(), t.values().end()}; }

Tensor filled(const Shape& shape, float value) {
  Tensor out(shape);
  std::ranges::fill(out.values(), value);
  return out;
}

// Kernel by name after one run.
std::map<std::string, std::string> implementations(const Graph& graph, const PlanOptions& options) {
  Plan plan(graph, graph.initialise(1), options);
  plan.run(Tensor(options.input));
  std::map<std::string, std::string> out;
  for (const auto& node : plan.profile()) out[node.name] = node.implementation;
  return out;
}

}  // namespace

TEST_CASE("initialise: each parameter has numbers of its own, by its name and the seed alone") {
  const auto three = [](Graph& g) {
    Value x = g.input(4);
    for (const char* name : {"a", "b", "c"})
      x = conv2d(g.root() / name, x, {.out_channels = 4, .kernel_size = 3, .padding = 1});
    return x;
  };
  Graph g;
  three(g);
  const Parameters first = g.initialise(1), again = g.initialise(1), other = g.initialise(2);
  std::set<std::vector<float>> drawn;
  for (const auto& [name, parameter] : first) {
    const std::string& which = name;  // clang 14 cannot capture a structured binding
    CAPTURE(which);
    CHECK(values(parameter.value) == values(again.at(name).value));
    CHECK(values(parameter.value) != values(other.at(name).value));
    drawn.insert(values(parameter.value));
    // No two of one tensor are equal either, but by chance.
    CHECK(std::set<float>(parameter.value.values().begin(), parameter.value.values().end()).size() +
              2 >=
          static_cast<size_t>(parameter.value.size()));
  }
  CHECK(drawn.size() == 6);
  // No stretch of one tensor is found in another.
  const std::vector<float> a = values(first.at("a.weight").value);
  const std::vector<float> b = values(first.at("b.weight").value);
  CHECK(std::search(a.begin(), a.end(), b.begin(), b.begin() + 4) == a.end());
  // Whatever else the graph holds.
  Graph alone;
  conv2d(alone.root() / "b", alone.input(4), {.out_channels = 4, .kernel_size = 3});
  CHECK(values(alone.initialise(1).at("b.weight").value) == b);
}

TEST_CASE("dropout: layers and steps have masks of their own") {
  Graph g;
  const Value x = g.input(4);
  g.label("first", dropout(x, 0.5));
  g.label("second", dropout(x, 0.5));
  PlanOptions options = PlanOptions::training({2, 4, 16, 16});
  options.gradients = false;
  options.keep = {"first", "second"};
  Plan plan(g, g.initialise(0), options);
  std::vector<std::vector<float>> masks;
  for (const uint64_t step : {0, 1, 2}) {
    plan.set_step(step);
    plan.run(filled({2, 4, 16, 16}, 1));
    for (const char* name : {"first", "second"}) masks.push_back(values(plan.output(name)));
  }
  // Of two independent masks half the elements agree, with a deviation of 0.5 / sqrt(2048) = 0.011.
  for (size_t i = 0; i < masks.size(); ++i)
    for (size_t j = 0; j < i; ++j) {
      double agree = 0;
      for (size_t k = 0; k < masks[i].size(); ++k) agree += masks[i][k] == masks[j][k];
      CAPTURE(i);
      CAPTURE(j);
      CHECK(std::abs(agree / static_cast<double>(masks[i].size()) - 0.5) < 0.06);
    }
}

TEST_CASE("winograd: the rule takes it where there are tiles and channels enough") {
  struct Layer {
    int64_t in_channels, out_channels, size;
    std::string algorithm;
  };
  // docs/winograd.md: 128 channels, or 16 with 12 tiles of 4x4 outputs.
  const std::vector<Layer> layers = {{16, 16, 13, "winograd F(4,3)"},
                                     {16, 16, 8, "direct"},
                                     {15, 64, 32, "direct"},
                                     {64, 15, 32, "direct"},
                                     {128, 128, 4, "winograd F(4,3)"},
                                     {127, 128, 8, "direct"},
                                     {3, 64, 64, "direct"}};
  for (const Layer& layer : layers) {
    Graph g;
    g.label("out", conv2d(g.root() / "conv", g.input(layer.in_channels),
                          {.out_channels = layer.out_channels, .kernel_size = 3, .padding = 1}));
    PlanOptions options = PlanOptions::inference({1, layer.in_channels, layer.size, layer.size});
    options.keep = {"out"};
    CAPTURE(layer.in_channels);
    CAPTURE(layer.size);
    const bool expected = layer.algorithm != "direct";
    const auto is_winograd = [&](const PlanOptions& o) {
      const std::string name = implementations(g, o).at("conv");
      return name.find("winograd F(4,3)") != std::string::npos;
    };
    CHECK(is_winograd(options) == expected);
    options.winograd = false;
    CHECK_FALSE(is_winograd(options));
    // In training the weight gradient goes the same way.
    options = PlanOptions::training(options.input);
    options.loss_at = "out";
    options.keep = {"out"};
    CHECK(is_winograd(options) == expected);
  }
  // Nothing but 3x3, stride 1, undilated, ungrouped is.
  const std::vector<Conv2dOptions> others = {
      {.out_channels = 32, .kernel_size = 3, .stride = 2, .padding = 1},
      {.out_channels = 32, .kernel_size = 3, .padding = 2, .dilation = 2},
      {.out_channels = 32, .kernel_size = 3, .padding = 1, .groups = 2},
      {.out_channels = 32, .kernel_size = {3, 1}, .padding = 1},
      {.out_channels = 32, .kernel_size = 5, .padding = 2}};
  for (const Conv2dOptions& o : others) {
    Graph g;
    g.label("out", conv2d(g.root() / "conv", g.input(32), o));
    PlanOptions options = PlanOptions::inference({1, 32, 32, 32});
    options.keep = {"out"};
    CHECK(implementations(g, options).at("conv").find("winograd") == std::string::npos);
  }
}

TEST_CASE("int8: a range is the batches' mean of each one's percentile") {
  Graph g;
  g.label("features", global_avg_pool(relu(g.input(1))));
  // 0, 1, ... 9999 in an order that has nothing to do with size: percentile p is p * 9999.
  const auto ramp = [](float scale) {
    Tensor t({1, 1, 100, 100});
    for (int64_t i = 0; i < 10000; ++i) t.data()[i * 7919 % 10000] = scale * static_cast<float>(i);
    return t;
  };
  for (const double share : {0.5, 0.9, 0.999, 1.0}) {
    CAPTURE(share);
    const auto range = [&](const std::vector<Tensor>& batches, const std::string& name) {
      return double{calibrate(g, {}, batches, {.percentile = share}).at(name)};
    };
    for (const std::string name : {"input", "input.relu"}) {
      CAPTURE(name);
      CHECK(range({ramp(1)}, name) == doctest::Approx(share * 9999).epsilon(1e-4));
      CHECK(range({ramp(1), ramp(4)}, name) == doctest::Approx(2.5 * share * 9999).epsilon(1e-4));
      CHECK(range({ramp(4), ramp(1)}, name) == doctest::Approx(2.5 * share * 9999).epsilon(1e-4));
    }
    // Of what is negative its size counts, where a layer lets it through.
    CHECK(range({ramp(-1)}, "input") == doctest::Approx(share * 9999).epsilon(1e-4));
    CHECK(range({ramp(-1)}, "input.relu") == 0);
  }
  // What is asked by default leaves out few: of 10000 none, so the maximum is the range.
  CHECK(calibrate(g, {}, {ramp(1)}).at("input") == 9999);
}

TEST_CASE("relu: nothing comes back through an output of exactly 0, whatever computes the ReLU") {
  using Build = std::function<Value(Scope, Value)>;  // what the ReLU is of, 0 for an input of 0
  const auto conv = [](Scope s, Value x) {
    return conv2d(s / "last", x, {.out_channels = 4, .kernel_size = 3, .padding = 1});
  };
  const auto norm = [](Scope s, Value x) { return batch_norm(s / "last", x); };
  const std::map<std::string, Build> builds = {
      {"convolution", conv},
      {"convolution and sum", [&](Scope s, Value x) { return add(conv(s, x), x); }},
      {"batch norm", norm},
      {"batch norm and sum", [&](Scope s, Value x) { return add(norm(s, x), x); }}};
  for (const auto& [name, build] : builds)
    for (const auto& after : {relu, relu6})
      for (const bool fuse : {false, true}) {
        const std::string& of = name;
        CAPTURE(of);
        CAPTURE(fuse);
        Graph g;
        g.label("logits", after(build(g.root(), g.input(4))));
        PlanOptions options = PlanOptions::training({2, 4, 5, 5});
        options.fuse = fuse;
        Parameters parameters = g.initialise(1);
        parameters.set("last.bias", filled({4}, 0));
        Plan plan(g, parameters, options);
        plan.run(filled({2, 4, 5, 5}, 0));
        CHECK(plan.output("logits").values()[0] == 0);
        plan.backward(std::vector<float>(200, 1));
        const Tensor bias = plan.parameter_gradient("last.bias");
        for (const float value : bias.values()) CHECK(value == 0);
      }
}
