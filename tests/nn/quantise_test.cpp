#include "nn/quantise.h"

#include <doctest/doctest.h>

#include <cmath>

#include "models/models.h"
#include "nn/core/processor.h"
#include "nn/plan.h"

using namespace limbic;

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
    Plan exact(model.graph, parameters, options);
    exact.run(images);
    const auto error = [&](const std::string& output) {
      Plan plan(model.graph, parameters, options);
      plan.poison();
      plan.run(images);
      return difference(plan.output(output), exact.output(output));
    };
    CAPTURE(name);
    if (has_bf16_instructions()) {
      options.dtype = DType::bf16;
      CHECK(error("features") < limits.bf16);
    }
    if (!has_int8_instructions()) continue;
    options.dtype = DType::i8;
    options.calibration = calibrate(model.graph, parameters, {images});
    const double all = error("features");
    CHECK(all < limits.int8);
    CHECK(all > 1e-4);  // it did compute in 8 bits
    // With every layer in full precision nothing is quantised.
    options.full_precision = {""};
    CHECK(error("features") < (has_bf16_instructions() ? limits.bf16 : 1e-5));
  }
}

TEST_CASE("int8: what must be 8 bits is, and what cannot be is not") {
  if (!has_int8_instructions()) return;
  const Model model = build_model("resnet50", 10);
  const Tensor images = noise({2, 3, 64, 64});
  const Parameters parameters = settled(model, images);
  PlanOptions options = PlanOptions::inference(images.shape());
  options.dtype = DType::i8;
  options.calibration = calibrate(model.graph, parameters, {images});
  for (const bool last_is_wide : {false, true}) {
    if (last_is_wide) options.full_precision = {"layer4"};
    Plan plan(model.graph, parameters, options);
    for (const auto& node : plan.profile()) {
      if (node.type != "conv2d") continue;
      CAPTURE(node.name);
      // layer3's sums must be as wide as the output that layer4 reads, and so must what reads them.
      if (last_is_wide && node.name.starts_with("layer3")) continue;
      const bool wide = node.name == "conv1" || (last_is_wide && node.name.starts_with("layer4"));
      CHECK(node.implementation.starts_with("int8") != wide);
    }
  }
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
  if (!has_int8_instructions()) return;
  CHECK(message().find("calibration") != std::string::npos);
  options.calibration = {{"conv1", 1.0f}};
  CHECK(message() == "");  // the layers that it does not name stay wide
  options.gradients = true;
  CHECK(message().find("inference") != std::string::npos);
  CHECK_THROWS_AS(calibrate(model.graph, parameters, {}), Error);
}
