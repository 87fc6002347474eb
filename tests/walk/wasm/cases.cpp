// Writes small layers with the numbers that the fast library gives for them, as JSON on standard
// output: tests/walk/check_wasm.js has the plain twins in WebAssembly compute the same.
#include <cstdio>
#include <nlohmann/json.hpp>

#include "limbic/core/random.h"
#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/ops/pool2d.h"
#include "limbic/nn/ops/softmax.h"
#include "limbic/nn/plan.h"
#include "limbic/train/optimiser.h"

namespace limbic::walk {
namespace {

using Json = nlohmann::ordered_json;

Tensor noise(const Shape& shape, uint64_t seed) {
  Tensor out(shape);
  Random random(seed);
  for (float& x : out.values()) x = static_cast<float>(random.normal());
  return out;
}

Json array(const Tensor& t) {
  return {{"shape", t.shape()}, {"values", std::vector<float>(t.data(), t.data() + t.size())}};
}
Json values(const Tensor& t) { return array(t)["values"]; }
Json pair(const Size2& s) { return {s.h, s.w}; }
Json sides(const Padding& p) { return {p.top, p.left, p.bottom, p.right}; }

// What a graph of one layer, "out", gives.
Tensor run(const Graph& graph, const Parameters& parameters, const Tensor& src) {
  PlanOptions options = PlanOptions::inference(src.shape());
  options.keep = {"out"};
  Plan plan(graph, parameters, options);
  plan.run(src);
  return plan.output("out");
}

Json convolution(const Shape& shape, const Conv2dOptions& o) {
  Graph g;
  g.label("out", conv2d(g.root() / "c", g.input(shape[1]), o));
  const Parameters p = g.initialise(1);
  const Tensor src = noise(shape, 2);
  return {{"op", "conv2d"},
          {"src", array(src)},
          {"weight", array(p.at("c.weight").value)},
          {"bias", o.bias ? array(p.at("c.bias").value) : Json()},
          {"stride", pair(o.stride)},
          {"padding", sides(o.padding)},
          {"dilation", pair(o.dilation)},
          {"groups", o.groups},
          {"expected", values(run(g, p, src))}};
}

Json pool(const Shape& shape, bool max, const Pool2dOptions& o) {
  Graph g;
  const Value src = g.input(shape[1]);
  g.label("out", max ? max_pool2d(src, o) : avg_pool2d(src, o));
  const Tensor images = noise(shape, 3);
  return {{"op", "pool2d"},
          {"src", array(images)},
          {"max", max},
          {"kernel", pair(o.kernel_size)},
          {"stride", pair(o.stride)},
          {"padding", sides(o.padding)},
          {"counts", o.count_include_pad},
          {"ceil", o.ceil_mode},
          {"expected", values(run(g, {}, images))}};
}

Json norm(const Shape& shape) {
  Graph g;
  g.label("out", batch_norm(g.root() / "n", g.input(shape[1])));
  Parameters p = g.initialise(1);
  for (const char* name : {"n.weight", "n.bias", "n.running_mean"})
    p.set(name, noise({shape[1]}, 4));
  Tensor variance = noise({shape[1]}, 5);
  for (float& v : variance.values()) v = 0.1f + v * v;
  p.set("n.running_var", variance);
  const Tensor src = noise(shape, 6);
  return {{"op", "frozenBatchNorm"},
          {"src", array(src)},
          {"weight", array(p.at("n.weight").value)},
          {"bias", array(p.at("n.bias").value)},
          {"mean", array(p.at("n.running_mean").value)},
          {"var", array(variance)},
          {"epsilon", 1e-5},
          {"expected", values(run(g, p, src))}};
}

Json softmax_row(int64_t classes) {
  Graph g;
  const Value logits = global_avg_pool(g.input(classes));
  g.label("out", softmax(logits));
  const Tensor src = noise({1, classes, 1, 1}, 7);
  return {{"op", "softmax"},
          {"src", array(src.reshape({1, classes}))},
          {"expected", values(run(g, {}, src))}};
}

// The tile in the middle of a convolution that the library computes by Winograd's algorithm.
Json winograd_tile() {
  Graph g;
  g.label("out",
          conv2d(g.root() / "c", g.input(1), {.out_channels = 1, .kernel_size = 3, .bias = false}));
  const Parameters p = g.initialise(8);
  const Tensor src = noise({1, 1, 4, 4}, 9);
  return {{"op", "winograd"},
          {"d", values(src)},
          {"g", values(p.at("c.weight").value)},
          {"expected", values(run(g, p, src))}};
}

Json sgd_step(double rate, double momentum, double decay) {
  Graph g;
  g.label("logits", global_avg_pool(
                        conv2d(g.root() / "c", g.input(3), {.out_channels = 4, .kernel_size = 3})));
  Parameters p = g.initialise(10);
  const Tensor before = p.at("c.weight").value.clone();
  Plan plan(g, p, PlanOptions::training({1, 3, 6, 6}));
  train::Sgd sgd(plan, {.momentum = momentum, .weight_decay = decay});
  const std::vector<float> diff = {1, -2, 0.5, 0.25};
  const Tensor src = noise({1, 3, 6, 6}, 11);
  plan.run(src);
  plan.backward(diff);
  const Tensor gradient = plan.parameter_gradient("c.weight");
  plan.run(src);
  sgd.step(diff, rate);
  plan.store(p);
  return {{"op", "sgd"},
          {"weight", values(before)},
          {"velocity", values(Tensor({before.size()}))},
          {"gradient", values(gradient)},
          {"rate", rate},
          {"momentum", momentum},
          {"decay", decay},
          {"expected", values(p.at("c.weight").value)}};
}

// The gradient of a convolution's source.
Json backward(const Shape& shape, const Conv2dOptions& o) {
  Graph g;
  const Value x = conv2d(g.root() / "c", g.input(shape[1]), o);
  g.label("out", x);
  g.label("logits", global_avg_pool(x));
  const Parameters p = g.initialise(12);
  PlanOptions options = PlanOptions::inference(shape);
  options.gradients = options.input_gradient = true;
  options.keep = {"out"};
  options.keep_gradients = {"out"};
  Plan plan(g, p, options);
  const Tensor src = noise(shape, 13);
  plan.run(src);
  std::vector<float> diff(static_cast<size_t>(o.out_channels));
  for (size_t i = 0; i < diff.size(); ++i) diff[i] = static_cast<float>(i) - 1.5f;
  plan.backward(diff);
  return {{"op", "conv2dBackward"},
          {"src", array(src)},
          {"weight", array(p.at("c.weight").value)},
          {"dy", array(plan.gradient("out"))},
          {"stride", pair(o.stride)},
          {"padding", sides(o.padding)},
          {"expected", values(plan.gradient("input"))}};
}

Json all_cases() {
  return {
      convolution({1, 1, 28, 28}, {.out_channels = 6, .kernel_size = 5, .padding = 2}),
      convolution({1, 16, 12, 12},
                  {.out_channels = 16, .kernel_size = 3, .padding = 1, .bias = false}),
      convolution({1, 8, 9, 7}, {.out_channels = 4, .kernel_size = 3, .stride = 2, .padding = 1}),
      convolution({1, 6, 11, 11},
                  {.out_channels = 6, .kernel_size = 3, .dilation = 2, .groups = 3}),
      convolution({1, 64, 1, 1}, {.out_channels = 10}),
      backward({1, 3, 8, 8}, {.out_channels = 5, .kernel_size = 3, .padding = 1}),
      backward({1, 4, 9, 9}, {.out_channels = 3, .kernel_size = 3, .stride = 2}),
      pool({1, 6, 28, 28}, true, {}),
      pool({1, 3, 13, 13}, true, {.kernel_size = 3, .stride = 2, .ceil_mode = true}),
      pool({1, 3, 9, 9}, false, {.kernel_size = 3, .stride = 2, .padding = 1}),
      pool({1, 3, 9, 9}, false,
           {.kernel_size = 3, .stride = 2, .padding = 1, .count_include_pad = false}),
      norm({1, 5, 6, 6}),
      softmax_row(10),
      softmax_row(1000),
      winograd_tile(),
      sgd_step(0.1, 0.9, 0),
      sgd_step(0.05, 0, 0.01)};
}

}  // namespace
}  // namespace limbic::walk

int main() { std::printf("%s\n", limbic::walk::all_cases().dump().c_str()); }
