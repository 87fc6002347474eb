#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "limbic/models/models.h"
#include "limbic/nn/loss.h"
#include "limbic/nn/plan.h"
#include "tests/reference/deterministic.h"

using namespace limbic;
using namespace limbic::models;
using nlohmann::json;

namespace {

json read_golden(const std::string& name, const char* script = "make_network_goldens.py") {
  const std::string path = LIMBIC_SOURCE_DIR "/tests/goldens/" + name + ".json";
  std::ifstream in(path);
  require(in.good(), path, ": missing; make it with tests/goldens/", script);
  return json::parse(in);
}

// The larger of the norm's relative error and the samples' error relative to the tensor's rms.
double error(const std::string& name, const Tensor& ours, const json& golden) {
  double squares = 0;
  for (float x : ours.values()) squares += double{x} * x;
  const double norm = golden.at("norm"), rms = norm / std::sqrt(static_cast<double>(ours.size()));
  double worst = std::abs(std::sqrt(squares) - norm) / norm;
  const json values = golden.value("values", json::array());
  for (size_t k = 0; k < values.size(); ++k) {
    const uint64_t at = (hash_name(name.c_str()) + 7919 * k) % static_cast<uint64_t>(ours.size());
    worst = std::max(worst, std::abs(ours.data()[at] - values[k].get<double>()) / rms);
  }
  return std::isnan(squares) ? INFINITY : worst;
}

void check_stages(const Plan& plan, const json& golden) {
  for (const auto& [stage, expected] : golden.items()) {
    const auto& label = stage;  // clang 14 cannot capture a structured binding
    CAPTURE(label);
    CHECK(error(stage, plan.output(stage), expected) < 1e-4);
  }
}

void check_network(const std::string& name) {
  const json golden = read_golden(name);
  const Model model = build_model(name, golden.at("classes"));
  Parameters parameters = model.graph.initialise(0);
  golden_parameters(parameters);
  const Shape shape = golden.at("shape");
  const Tensor input = golden_input(shape);
  const std::vector<int64_t> labels = golden.at("labels");

  for (bool fuse : {false, true}) {
    CAPTURE(fuse);
    Parameters own = parameters.clone();
    PlanOptions options = PlanOptions::training(shape);
    options.keep = model.stages;
    options.fuse = fuse;
    options.dropout = false;
    Plan plan(model.graph, own, options);
    plan.run(input);
    check_stages(plan, golden.at("training"));

    const Tensor logits = plan.output("logits");
    std::vector<float> diff(static_cast<size_t>(logits.size()));
    CHECK(softmax_cross_entropy(logits, labels, diff) ==
          doctest::Approx(golden.at("loss").get<double>()).epsilon(1e-5));
    plan.backward(diff);
    std::vector<double> errors;
    for (const auto& [parameter, expected] : golden.at("gradients").items()) {
      errors.push_back(error(parameter, plan.parameter_gradient(parameter), expected));
    }
    // ReLU masks flip on rounding errors, in PyTorch's f32 as in ours: its error is the measure.
    std::sort(errors.begin(), errors.end());
    const auto& float32 = golden.at("float32_error");
    const double median = errors[errors.size() / 2], worst = errors.back();
    const double allowed = 2 * float32.at("max").get<double>();
    MESSAGE(str_cat(name, fuse ? ", fused" : "", ": gradient errors median ", median, ", max ",
                    worst, "; PyTorch's in f32 ", float32.dump()));
    // One flipped mask near the loss moves every gradient behind it, so either limit is the worst
    // that PyTorch shows; the exactness of each op is checked in ops_test.cpp.
    CHECK(worst < allowed);
    CHECK(median < allowed / 4);
    plan.store(own);
    for (const auto& [buffer, expected] : golden.at("statistics").items()) {
      const auto& statistic = buffer;  // clang 14 cannot capture a structured binding
      CAPTURE(statistic);
      CHECK(error(buffer, own.at(buffer).value, expected) < 1e-4);
    }

    // The statistics of that one batch, as the generator made them.
    for (const auto& [buffer, parameter] : own) {
      const bool var = buffer.ends_with("running_var");
      if (!var && !buffer.ends_with("running_mean")) continue;
      Tensor t = parameter.value.clone();
      for (float& x : t.values()) x = static_cast<float>((double{x} - (var ? 0.9 : 0)) / 0.1);
      own.set(buffer, t);
    }
    PlanOptions inference = PlanOptions::inference(shape);
    inference.keep = model.stages;
    inference.fuse = fuse;
    Plan tested(model.graph, own, inference);
    tested.run(input);
    check_stages(tested, golden.at("inference"));
  }
}

// Running statistics of make_keras_network_goldens.py.
void golden_statistics(Parameters& parameters) {
  for (const auto& [name, parameter] : parameters) {
    const bool var = name.ends_with("running_var");
    if (!var && !name.ends_with("running_mean")) continue;
    Tensor t = parameter.value.clone();
    for (int64_t i = 0; i < t.size(); ++i) {
      const double u = golden_uniform(hash_name(name.c_str()), static_cast<uint64_t>(i));
      t.data()[i] = static_cast<float>(var ? 1 + 0.3 * u : 0.1 * u);
    }
    parameters.set(name, t);
  }
}

}  // namespace

TEST_CASE("networks: ResNet50 equals PyTorch stage by stage") { check_network("resnet50"); }
TEST_CASE("networks: DenseNet121 equals PyTorch stage by stage") { check_network("densenet121"); }

TEST_CASE("networks: Keras' variants equal Keras stage by stage") {
  const json goldens = read_golden("keras_networks", "make_keras_network_goldens.py");
  for (const auto& [name, golden] : goldens.items()) {
    const auto& network = name;  // clang 14 cannot capture a structured binding
    CAPTURE(network);
    const Model model = build_model(name, golden.at("classes"));
    Parameters parameters = model.graph.initialise(0);
    CHECK(parameters.trainable_elements() == golden.at("trainable").get<int64_t>());
    golden_parameters(parameters);
    golden_statistics(parameters);
    const Shape shape = golden.at("shape");
    for (bool fuse : {false, true}) {
      CAPTURE(fuse);
      PlanOptions options = PlanOptions::inference(shape);
      options.keep = model.stages;
      options.fuse = fuse;
      Plan plan(model.graph, parameters, options);
      plan.run(golden_input(shape));
      check_stages(plan, golden.at("stages"));
    }
  }
}

TEST_CASE("networks: every model's parameters have the published count, any input size runs") {
  const std::map<std::string, int64_t> counts = {{"resnet18", 11689512},
                                                 {"resnet34", 21797672},
                                                 {"resnet50", 25557032},
                                                 {"resnet101", 44549160},
                                                 {"resnet152", 60192808},
                                                 {"densenet121", 7978856},
                                                 {"densenet161", 28681000},
                                                 {"densenet169", 14149480},
                                                 {"densenet201", 20013928},
                                                 {"squeezenet1_1", 1235496},
                                                 {"keras_resnet101", 44601832},
                                                 {"keras_resnet152", 60268520},
                                                 {"keras_densenet169", 14149480},
                                                 {"keras_densenet201", 20013928},
                                                 {"squeezenet1_0", 1248424},
                                                 {"alexnet", 61100840},
                                                 {"caffenet", 60965224},
                                                 {"vgg16", 138357544},
                                                 {"vgg19", 143667240},
                                                 {"vgg16_bn", 138365992},
                                                 {"vgg19_bn", 143678248},
                                                 {"mobilenet_v2", 3504872}};
  const auto none = [](const std::string&, const Shape&) { return false; };  // drawing takes long
  for (const auto& [name, expected] : counts) {
    const auto& network = name;  // clang 14 cannot capture a structured binding
    CAPTURE(network);
    CHECK(build_model(name, 1000).graph.initialise(0, none).trainable_elements() == expected);
  }
  CHECK(build_model("resnet20", 10).graph.initialise(0).trainable_elements() == 269722);
  CHECK(build_model("resnet56", 10).graph.initialise(0).trainable_elements() == 853018);
  for (const std::string name :
       {"resnet18", "densenet_small", "squeezenet1_1", "resnet20", "squeezenet1_0", "alexnet",
        "caffenet", "mobilenet_v2", "vgg16_bn"}) {
    const Model model = build_model(name, 7);
    const Parameters parameters = model.graph.initialise(1);
    Plan plan(model.graph, parameters, PlanOptions::inference({1, 3, 75, 67}));
    plan.run(Tensor({1, 3, 75, 67}));
    CHECK(plan.output("logits").shape() == Shape{1, 7});
  }
  CHECK_THROWS_AS(build_model("resnet19", 10), Error);
}
