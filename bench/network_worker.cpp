// A network behind the protocol of bench/peers/protocol.py, so that bench/peers can run it beside
// other frameworks:
//   network_worker --model resnet101 --weights W.safetensors --input P.safetensors --mode train
// P holds "images" (N,3,H,W) and "labels" (N).
#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "limbic/core/clock.h"
#include "limbic/core/parallel.h"
#include "limbic/models/models.h"
#include "limbic/network/dtype_choice.h"
#include "limbic/nn/calibrate.h"
#include "limbic/nn/cpu/onednn/compat.h"
#include "limbic/nn/loss.h"
#include "limbic/train/optimiser.h"
#include "limbic/weights/load.h"
#include "limbic/weights/safetensors.h"

using namespace limbic;
using namespace limbic::models;
using namespace limbic::train;
using namespace limbic::weights;
using nlohmann::json;

namespace {

struct Options {
  std::string model, weights, input, calibration, mode = "infer", dtype = "f32";
  int threads = 0;
};

// VmRSS (resident now) or VmHWM (its peak), in MB.
double resident_mb(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(field + ":")) return std::stod(line.substr(field.size() + 1)) / 1024;
  fail("no ", field, " in /proc/self/status");
}

/// What is run and timed: a forward pass, or a step of training as the other workers take it.
class Task {
 public:
  explicit Task(const Options& o)
      : training_(o.mode == "train"), model_(build_model(o.model, classes_of(o))) {
    const SafetensorsFile input = read_safetensors(o.input);
    images_ = input.tensors.at("images").clone();
    const auto labels = input.tensors.at("labels").values<int64_t>();
    labels_.assign(labels.begin(), labels.end());
    Parameters parameters;
    {
      const SafetensorsFile weights = read_safetensors(o.weights);
      parameters = model_.graph.initialise(0, not_loaded_from(weights.tensors));
      load_parameters(weights.tensors, parameters, {.source = o.weights, .file = &weights.file});
    }
    PlanOptions options = training_ ? PlanOptions::training(images_.shape())
                                    : PlanOptions::inference(images_.shape());
    options.dtype = network::activation_dtype(o.dtype);
    if (!o.calibration.empty()) {
      const SafetensorsFile pictures = read_safetensors(o.calibration);
      options.calibration = calibrate(model_.graph, parameters, {pictures.tensors.at("images")});
    }
    options.tune = !training_;
    options.keep_parameter_gradients = false;
    plan_ = std::make_unique<Plan>(model_.graph, std::move(parameters), options);
    if (training_)
      sgd_ = std::make_unique<Sgd>(*plan_, SgdOptions{.momentum = 0.9, .weight_decay = 1e-4});
    logits_ = Tensor({images_.dim(0), model_.classes});
    diff_.resize(static_cast<size_t>(logits_.size()));
  }

  void run() {
    plan_->run(images_);
    plan_->read_output("logits", logits_.values());
    if (!training_) return;
    const double loss = softmax_cross_entropy(logits_, labels_, diff_);
    if (runs_++ == 0) first_loss_ = static_cast<float>(loss);
    sgd_->step(diff_, 1e-3);
  }

  /// Logits, or the loss of the first step.
  std::span<const float> output() const {
    return training_ ? std::span(&first_loss_, 1) : std::span<const float>(logits_.values());
  }

 private:
  static int64_t classes_of(const Options& o) {
    const SafetensorsFile file = read_safetensors(o.weights);
    const std::string name = find_architecture(o.model).classifier + ".bias";
    require(file.tensors.count(name) > 0, o.weights, ": has no ", name);
    return file.tensors.at(name).dim(0);
  }

  bool training_;
  Model model_;
  Tensor images_;
  std::vector<int64_t> labels_;
  std::unique_ptr<Plan> plan_;
  std::unique_ptr<Sgd> sgd_;
  Tensor logits_;
  std::vector<float> diff_;
  int64_t runs_ = 0;
  float first_loss_ = 0;
};

void say(const std::string& line) { std::cout << line << std::endl; }

void serve(const Options& o) {
  set_threads(o.threads);
  std::ofstream("/proc/self/clear_refs") << "5";  // the peak counts from here
  const double baseline_mb = resident_mb("VmRSS");
  Task task(o);
  say("ready " +
      json({{"baseline_mb", baseline_mb}, {"versions", {{"onednn", onednn::version()}}}}).dump());
  for (std::string line; std::getline(std::cin, line);) {
    if (line == "run") {
      const double start = now();
      task.run();
      say(json({{"ms", 1e3 * (now() - start)}}).dump());
    } else if (line == "memory") {
      say(json({{"peak_mb", resident_mb("VmHWM")}}).dump());
    } else if (line.starts_with("output ")) {
      const auto values = task.output();
      std::ofstream file(line.substr(7), std::ios::binary);
      file.write(reinterpret_cast<const char*>(values.data()),
                 static_cast<std::streamsize>(values.size_bytes()));
      require(file.good(), "cannot write ", line.substr(7));
      file.close();
      say("{}");
    } else if (line == "quit") {
      return;
    } else {
      fail("unknown request: ", line);
    }
  }
}

}  // namespace

int main(int argc, char** argv) try {
  Options o;
  CLI::App app("A network behind the protocol of bench/peers/protocol.py");
  app.add_option("--model", o.model, "architecture")->required();
  app.add_option("--weights", o.weights, "checkpoint (.safetensors)")->required();
  app.add_option("--input", o.input, "images and labels (.safetensors)")->required();
  app.add_option("--mode", o.mode, "infer or train")->check(CLI::IsMember({"infer", "train"}));
  app.add_option("--dtype", o.dtype, "f32, bf16 or int8")
      ->check(CLI::IsMember({"f32", "bf16", "int8"}));
  app.add_option("--calibration", o.calibration, "images for int8's scales (.safetensors)");
  app.add_option("--threads", o.threads, "0: all cores that it may use");
  CLI11_PARSE(app, argc, argv);
  serve(o);
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "network_worker: %s\n", e.what());
  return 1;
}
