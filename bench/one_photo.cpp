// One photo through several networks, the whole process being what is timed:
//   one_photo THREADS PHOTO resnet101 R.safetensors densenet201 D.safetensors
// Prints a line "NAME CLASS" for each. bench/peers/one_photo.py is the same in Python.
#include <cstdio>
#include <cstdlib>

#include "limbic/core/parallel.h"
#include "limbic/io/decode.h"
#include "limbic/network/network.h"
#include "limbic/network/predictor.h"

using namespace limbic;
using namespace limbic::io;
using namespace limbic::network;

namespace {

int64_t classify(const std::string& name, const std::string& weights, const std::string& photo) {
  const Network network = open_network({.model = name, .weights = weights, .share = true});
  const Preset& preset = network.preset;
  Tensor image(input_shape(1, preset));
  preprocess(decode_file(photo, preset.decode_options()), preset, image.data());
  Plan plan(network.model.graph, network.parameters, PlanOptions::inference(image.shape()));
  plan.run(image);
  return argmax(plan.output("logits").values());
}

}  // namespace

int main(int argc, char** argv) try {
  require(argc >= 5 && argc % 2 == 1, "usage: one_photo THREADS PHOTO (MODEL WEIGHTS)...");
  set_threads(std::atoi(argv[1]));
  for (int i = 3; i < argc; i += 2)
    std::printf("%s %ld\n", argv[i], classify(argv[i], argv[i + 1], argv[2]));
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "one_photo: %s\n", e.what());
  return 1;
}
