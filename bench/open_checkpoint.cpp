// From a checkpoint's name to a network that is ready to run, the process being what is timed:
//   open_checkpoint MODEL WEIGHTS THREADS
// Prints the milliseconds and the megabytes of resident memory that this took at its peak.
// bench/open_checkpoint.py runs it beside PyTorch.
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>

#include "limbic/core/clock.h"
#include "limbic/core/parallel.h"
#include "limbic/network/network.h"
#include "limbic/network/predictor.h"
#include "limbic/weights/keras/keras.h"

using namespace limbic;
using namespace limbic::network;

namespace {

double peak_mb() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

}  // namespace

int main(int argc, char** argv) try {
  require(argc == 4, "usage: open_checkpoint MODEL WEIGHTS THREADS");
  set_threads(std::atoi(argv[3]));
  weights::formats().push_back(weights::keras_format);
  const double before = peak_mb(), start = now();
  const Network network = open_network({.model = argv[1], .weights = argv[2], .share = true});
  const Plan plan(network.model.graph, network.parameters,
                  PlanOptions::inference(input_shape(1, network.preset)));
  std::printf("%.2f %.1f\n", 1e3 * (now() - start), peak_mb() - before);
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "open_checkpoint: %s\n", e.what());
  return 1;
}
