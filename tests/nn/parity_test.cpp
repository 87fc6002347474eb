// Whole networks of PyTorch's checkpoints against what PyTorch computes with them, stage by stage:
//
//     python3 tests/goldens/make_parity.py PHOTOS build/parity
//     LIMBIC_PARITY=build/parity build/tests/test_nn -tc='parity*'
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "limbic/models/models.h"
#include "limbic/nn/plan.h"
#include "limbic/weights/checkpoint.h"
#include "limbic/weights/compare.h"
#include "limbic/weights/load.h"
#include "limbic/weights/safetensors.h"

using namespace limbic;
using namespace limbic::models;
using namespace limbic::weights;

namespace {

constexpr double tolerance = 1e-4;

// The stages, "logits" and what PyTorch has for them.
Comparison compare_network(const std::string& name, const std::string& weights,
                           const std::map<std::string, Tensor>& expected) {
  const Checkpoint checkpoint = read_checkpoint(weights);
  const Model model = build_model(name, expected.at("logits").dim(1));
  Parameters parameters = model.graph.initialise(0, not_loaded_from(checkpoint.tensors));
  load_parameters(checkpoint.tensors, parameters, {.source = weights, .file = &checkpoint.file});
  PlanOptions options = PlanOptions::inference(expected.at("input").shape());
  options.keep = model.stages;
  Plan plan(model.graph, parameters, options);
  plan.run(expected.at("input"));
  std::vector<std::string> names = model.stages;
  names.push_back("logits");
  std::map<std::string, Tensor> ours;
  for (const std::string& stage : names) ours[stage] = plan.output(stage);
  return compare_tensors(names, ours, expected, tolerance);
}

void check_network(const std::string& name, const std::string& weights,
                   const std::map<std::string, Tensor>& expected) {
  const Comparison result = compare_network(name, weights, expected);
  std::string table = weights + ":";
  for (const TensorDifference& d : result.differences)
    table += str_cat("\n  ", d.name, ": max ", d.max, ", mean ", d.mean, ", relative ", d.relative,
                     " ", d.reason);
  MESSAGE(table);
  CHECK(!result.first_apart.has_value());
}

}  // namespace

TEST_CASE("parity: networks from .pth files of both forms equal PyTorch stage by stage") {
  const char* folder = std::getenv("LIMBIC_PARITY");
  if (folder == nullptr) {
    MESSAGE("skipped: LIMBIC_PARITY names no folder made by tests/goldens/make_parity.py");
    return;
  }
  int64_t networks = 0;
  for (const std::string& name : model_names()) {
    const std::string base = std::string(folder) + "/" + name;
    if (!std::filesystem::exists(base + ".safetensors")) continue;
    CAPTURE(name);
    const SafetensorsFile expected = read_safetensors(base + ".safetensors");
    for (const char* form : {".pth", ".stream.pth"})
      check_network(name, base + form, expected.tensors);
    ++networks;
  }
  CHECK(networks > 0);
}
