// One training step of a network on numbers that Python makes alike
// (tests/goldens/deterministic.py), written to a file for bench/training_step.py to hold against
// PyTorch in f64 and f32:
//   training_step resnet50 8 224 ours.safetensors
#include <cstdio>
#include <cstdlib>

#include "limbic/models/models.h"
#include "limbic/nn/loss.h"
#include "limbic/nn/plan.h"
#include "limbic/weights/safetensors.h"
#include "tests/reference/deterministic.h"

using namespace limbic;
using namespace limbic::models;
using namespace limbic::weights;

int main(int argc, char** argv) try {
  require(argc == 5, "usage: training_step MODEL BATCH IMAGE_SIZE OUT.safetensors");
  const int64_t batch = std::atoll(argv[2]), size = std::atoll(argv[3]), classes = 8;
  const Model model = build_model(argv[1], classes);
  Parameters parameters = model.graph.initialise(0);
  golden_parameters(parameters);
  const Shape shape = {batch, 3, size, size};
  PlanOptions options = PlanOptions::training(shape);
  options.dropout = false;
  Plan plan(model.graph, parameters, options);
  plan.run(golden_input(shape));

  std::vector<int64_t> labels;
  for (int64_t n = 0; n < batch; ++n) labels.push_back(n * 3 % classes);
  const Tensor logits = plan.output("logits");
  std::vector<float> diff(static_cast<size_t>(logits.size()));
  const double loss = softmax_cross_entropy(logits, labels, diff);
  plan.backward(diff);
  plan.store(parameters);

  std::map<std::string, Tensor> out = {{"logits", logits},
                                       {"loss", Tensor::of(std::vector<double>{loss}, {1})}};
  for (const auto& [name, parameter] : parameters) {
    if (parameter.trainable)
      out["gradient/" + name] = plan.parameter_gradient(name);
    else if (parameter.value.dtype() == DType::f32)
      out["buffer/" + name] = parameter.value;
  }
  write_safetensors(argv[4], out, {});
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "training_step: %s\n", e.what());
  return 1;
}
