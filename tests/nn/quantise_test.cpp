#include "limbic/nn/calibrate.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "limbic/core/bfloat16.h"
#include "limbic/models/models.h"
#include "limbic/nn/compile/program.h"
#include "limbic/nn/cpu/onednn/compat.h"
#include "limbic/nn/ops/activation.h"
#include "limbic/nn/ops/linear.h"
#include "limbic/nn/ops/pool2d.h"
#include "limbic/nn/plan.h"

using namespace limbic;
using namespace limbic::models;

namespace {

// Statistics as a trained network has them: the activations stay of order 1.
Parameters settled(const Model& model, const Tensor& images) {
  Parameters parameters = model.graph.initialise(3);
  // Residual branches that add little, as training makes them: with a scale of 1 any rounding is
  // amplified from block to block.
  for (const auto& [key, parameter] : parameters)
    if (key.ends_with(model.name == "resnet18" ? "bn2.weight" : "bn3.weight"))
      for (float& x : parameter.value.values()) x = 0.2f;
  PlanOptions options = PlanOptions::training(images.shape());
  options.gradients = options.dropout = false;
  Plan plan(model.graph, parameters, options);
  for (int i = 0; i < 40; ++i) plan.run(images);
  plan.store(parameters);
  return parameters;
}

Tensor noise(const Shape& shape) {
  Tensor out(shape);
  Random random(4);
  for (float& x : out.values()) x = static_cast<float>(random.normal());
  return out;
}

double difference(const Tensor& a, const Tensor& b) {
  double error = 0, norm = 0;
  for (int64_t i = 0; i < b.size(); ++i) {
    const double x = a.data()[i], y = b.data()[i];
    error += (x - y) * (x - y);
    norm += y * y;
  }
  return std::sqrt(error / norm);
}

}  // namespace

TEST_CASE("int8 and bf16: features and logits stay near f32's") {
  struct Limits {
    std::string name;
    double bf16, int8;
  };
  for (const Limits& limits : std::vector<Limits>{{"resnet18", 0.03, 0.12},
                                                  {"resnet50", 0.05, 0.15},
                                                  {"densenet121", 0.1, 0.25},
                                                  {"squeezenet1_1", 0.03, 0.12}}) {
    const std::string& name = limits.name;
    const Model model = build_model(name, 10);
    const Tensor images = noise({4, 3, 64, 64});
    const Parameters parameters = settled(model, images);
    PlanOptions options = PlanOptions::inference(images.shape());
    options.poison = true;
    Plan exact(model.graph, parameters, options);
    exact.run(images);
    const auto error = [&](const std::string& output) {
      Plan plan(model.graph, parameters, options);
      plan.run(images);
      return difference(plan.output(output), exact.output(output));
    };
    CAPTURE(name);
    if (onednn::has_bf16_instructions()) {
      options.dtype = DType::bf16;
      CHECK(error("features") < limits.bf16);
    }
    if (!onednn::has_int8_instructions()) continue;
    options.dtype = DType::i8;
    options.calibration = calibrate(model.graph, parameters, {images});
    const double all = error("features");
    CHECK(all < limits.int8);
    CHECK(all > 1e-4);  // it did compute in 8 bits
    // With every layer in full precision nothing is quantised.
    options.full_precision = {""};
    CHECK(error("features") < (onednn::has_bf16_instructions() ? limits.bf16 : 1e-5));
  }
}

namespace {

// What the kernel is to compute, in integers: dst = scale_src scale_w[o] sum(q_src q_w) + bias[o].
Tensor integer_convolution(const Conv2dOptions& o, const Tensor& src, float range, bool is_signed,
                           const Tensor& weight, const Tensor& bias, const Shape& dst,
                           bool halved) {
  const double scale = static_cast<double>(range) / (is_signed ? 127 : 255);
  // Of a signed src oneDNN halves the weights without VNNI.
  const auto integer_weight = [&](double x) {
    return halved ? 2 * std::nearbyint(0.5 * std::round(x)) : std::round(x);
  };
  const auto quantised = [&](double x) {
    return std::clamp(std::round(x / scale), is_signed ? -127.0 : 0.0, is_signed ? 127.0 : 255.0);
  };
  Tensor out(dst);
  const int64_t in_per_group = weight.dim(1), out_per_group = o.out_channels / o.groups;
  const int64_t per_out = weight.size() / o.out_channels, h = src.dim(2), w = src.dim(3);
  for (int64_t i = 0; i < out.size(); ++i) {
    const int64_t ox = i % dst[3], oy = i / dst[3] % dst[2], oc = i / dst[3] / dst[2] % dst[1];
    const int64_t n = i / dst[3] / dst[2] / dst[1];
    double largest = 1e-20, before = 0, sum = 0;
    for (int64_t k = 0; k < per_out; ++k) {  // a pixel's channels, then the next pixel's
      const int64_t pixels = per_out / in_per_group;
      const double here =
          double{weight.data()[oc * per_out + k % in_per_group * pixels + k / in_per_group]};
      largest = std::max(largest, std::abs(here));
      // Without VNNI two neighbours' products are added in 16 bits.
      if (!onednn::has_int8_instructions() && !is_signed)
        largest = std::max(largest, std::abs(before + here));
      before = here;
    }
    for (int64_t k = 0; k < per_out; ++k) {
      const int64_t v = k % o.kernel_size.w, u = k / o.kernel_size.w % o.kernel_size.h;
      const int64_t c = oc / out_per_group * in_per_group + k / o.kernel_size.w / o.kernel_size.h;
      const int64_t y = oy * o.stride.h - o.padding.top + u * o.dilation.h;
      const int64_t x = ox * o.stride.w - o.padding.left + v * o.dilation.w;
      if (y < 0 || x < 0 || y >= h || x >= w) continue;
      const double q = quantised(double{src.data()[((n * src.dim(1) + c) * h + y) * w + x]});
      sum += q * integer_weight(double{weight.data()[oc * per_out + k]} / (largest / 127));
    }
    out.data()[i] = static_cast<float>(sum * scale * largest / 127 + double{bias.data()[oc]});
  }
  return out;
}

// What is not in 8 bits is bf16 where the processor has it; of values so near the middle between
// two that they go elsewhere, a few.
Tensor in_wide_type(const Tensor& exact) {
  Tensor out = exact.clone();
  if (onednn::has_bf16_instructions())
    for (float& v : out.values()) v = to_f32(from_f32<BFloat16>(v));
  return out;
}

}  // namespace

TEST_CASE("int8: every kind of convolution equals an integer reference") {
  const std::vector<std::pair<int64_t, Conv2dOptions>> convolutions = {
      {3, {.out_channels = 5}},
      {16, {.out_channels = 33, .kernel_size = 3, .padding = 1}},
      {5, {.out_channels = 17, .kernel_size = 3, .stride = 2, .padding = {0, 0, 1, 1}}},
      {8, {.out_channels = 8, .kernel_size = 3, .padding = 1, .groups = 8}},
      {32, {.out_channels = 32, .kernel_size = 3, .stride = 2, .padding = 1, .groups = 32}},
      {6, {.out_channels = 4, .kernel_size = 3, .padding = 1, .groups = 2}},
      {12, {.out_channels = 24, .kernel_size = {1, 3}, .dilation = 2, .groups = 3}},
      {4, {.out_channels = 3, .kernel_size = 3, .padding = 2, .dilation = 2}},
      {3, {.out_channels = 16, .kernel_size = 7, .stride = 2, .padding = 3}}};
  for (const auto& [channels, o] : convolutions)
    for (const bool is_signed : {false, true}) {
      Graph g;
      // A window of one pixel changes nothing, and stands between the picture and the convolution.
      const Value x = max_pool2d(g.input(channels), {.kernel_size = 1, .stride = 1});
      const Value y = is_signed ? x : relu(x);
      const Value conv = conv2d(g.root() / "conv", y, o);
      g.label("out", conv);
      g.label("logits", linear(g.root() / "fc", global_avg_pool(conv), {.out_features = 2}));
      const Parameters parameters = g.initialise(5);
      const Tensor images = noise({2, channels, 9, 8});
      PlanOptions options = PlanOptions::inference(images.shape());
      options.keep = {"out"};
      options.dtype = DType::i8;
      options.slow_int8 = options.poison = true;
      const float range = 2.5f;  // some values lie beyond it
      options.calibration = {{g.node(y.node).name, range}};
      Plan plan(g, parameters, options);
      CHECK(plan.program().convolutions().in_8_bits == 1);
      plan.run(images);
      Tensor src = in_wide_type(images);
      for (float& v : src.values()) v = is_signed ? v : std::max(v, 0.0f);
      const Tensor out = plan.output("out");
      const std::string which = str_cat(channels, " channels, ", o.groups, " groups");
      CAPTURE(which);
      CAPTURE(is_signed);
      // oneDNN's plain implementation does without the halving.
      std::string implementation;
      for (const auto& row : plan.profile())
        if (row.name == "conv") implementation = row.implementation;
      CHECK(implementation.starts_with("int8 "));
      const bool halved = is_signed && !onednn::has_int8_instructions() &&
                          implementation.find("ref") == std::string::npos;
      const Tensor expected =
          integer_convolution(o, src, range, is_signed, parameters.at("conv.weight").value,
                              parameters.at("conv.bias").value, out.shape(), halved);
      CHECK(difference(out, in_wide_type(expected)) <
            (onednn::has_bf16_instructions() ? 5e-4 : 1e-5));
    }
}

TEST_CASE("int8: nearly every convolution of the networks has 8 bits, and how many is told") {
  for (const auto& [name, size] :
       std::vector<std::pair<std::string, int64_t>>{{"resnet14", 32},
                                                    {"resnet50", 64},
                                                    {"mobilenet_v2", 96},
                                                    {"squeezenet1_1", 64},
                                                    {"densenet121", 64}}) {
    const Model model = build_model(name, 10);
    const Tensor images = noise({1, 3, size, size});
    const Parameters parameters = settled(model, noise({4, 3, size, size}));
    PlanOptions options = PlanOptions::inference(images.shape());
    options.slow_int8 = options.poison = true;
    Plan exact(model.graph, parameters, options);
    exact.run(images);
    options.dtype = DType::i8;
    options.calibration = calibrate(model.graph, parameters, {images});
    Plan plan(model.graph, parameters, options);
    plan.run(images);
    const auto count = plan.program().convolutions();
    CAPTURE(model.name);
    // Neither the one that reads the picture nor one that makes the scores.
    const int64_t wide = name == "squeezenet1_1" ? 2 : 1;
    CHECK(count.in_8_bits == count.all - wide);
    const double error = difference(plan.output("logits"), exact.output("logits"));
    MESSAGE(name << ": " << count.in_8_bits << " of " << count.all
                 << " convolutions in 8 bits, logits off by " << error);
    CHECK(error < 0.6);  // random weights amplify it from layer to layer
    CHECK(error > 1e-5);
    // What is to stay wide does.
    std::vector<std::string> names;
    for (const Node& node : model.graph.nodes())
      if (node.op && std::string(node.op->type()) == "conv2d") names.push_back(node.name);
    options.full_precision = {names[names.size() - 2]};
    CHECK(Plan(model.graph, parameters, options).program().convolutions().in_8_bits ==
          count.all - wide - 1);
  }
}

TEST_CASE("int8: calibration sees every channel, and refuses what is no range") {
  // One strong channel of 64, in a value large enough to be sampled: wherever it is, the range is
  // its.
  for (const int64_t strong : {int64_t{0}, int64_t{1}, int64_t{37}}) {
    Graph g;
    g.label("features", global_avg_pool(relu(relu6(g.input(64)))));
    Tensor images({1, 64, 160, 160});
    for (int64_t i = 0; i < 160 * 160; ++i) images.data()[strong * 160 * 160 + i] = 5;
    const Calibration c = calibrate(g, {}, {images});
    CHECK(c.at("input.relu6") == 5);
    CHECK(c.at("input") == 5);
  }
  Graph g;
  g.label("features", global_avg_pool(relu(g.input(2))));
  for (const double percentile : {0.0, -1.0, 99.999, double{NAN}})
    CHECK_THROWS_AS(calibrate(g, {}, {noise({1, 2, 4, 4})}, {.percentile = percentile}), Error);
  Tensor nan = noise({1, 2, 4, 4});
  nan.data()[3] = NAN;
  CHECK_THROWS_AS(calibrate(g, {}, {nan}), Error);
}

TEST_CASE("int8: NaN is refused where 8 bits would hide it") {
  Graph g;
  const Value x = max_pool2d(g.input(2), {.kernel_size = 1, .stride = 1});
  const Value out = conv2d(g.root() / "conv", x, {.out_channels = 3});
  g.label("logits", linear(g.root() / "fc", global_avg_pool(out), {.out_features = 2}));
  PlanOptions options = PlanOptions::inference({1, 2, 4, 4});
  options.dtype = DType::i8;
  options.slow_int8 = true;
  options.calibration = {{"input.max_pool", 1.0f}};
  Parameters parameters = g.initialise(0);
  Plan plan(g, parameters, options);
  Tensor images({1, 2, 4, 4});
  plan.run(images);
  images.data()[7] = NAN;
  CHECK_THROWS_WITH_AS(
      plan.run(images),
      "input.max_pool.quantised: 8 bits hold no NaN, and there is one: use f32 to see where "
      "it comes from",
      Error);
  Tensor weight = parameters.at("conv.weight").value.clone();
  weight.data()[2] = INFINITY;
  parameters.set("conv.weight", weight);
  CHECK_THROWS_AS(Plan(g, parameters, options), Error);
}

TEST_CASE("int8: a plan without calibration, or for training, is refused in words") {
  const Model model = build_model("resnet8", 3);
  const Parameters parameters = model.graph.initialise(0);
  PlanOptions options = PlanOptions::inference({1, 3, 16, 16});
  options.dtype = DType::i8;
  const auto message = [&] {
    try {
      Plan(model.graph, parameters, options);
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  CHECK(message() != "");
  if (!onednn::has_int8_instructions()) return;
  CHECK(message().find("calibration") != std::string::npos);
  options.calibration = {{"conv1", 1.0f}};
  CHECK(message() == "");  // the layers that it does not name stay wide
  options.gradients = true;
  CHECK(message().find("inference") != std::string::npos);
  CHECK_THROWS_AS(calibrate(model.graph, parameters, {}), Error);
}
