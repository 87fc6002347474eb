// Plans of one network for several input shapes: what they cost in memory and time when they share
// the packed weights, and what a batch that is not full costs.
//
//   build/bench/bench_plans [ROUNDS]
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <vector>

#include "limbic/core/clock.h"
#include "limbic/models/models.h"
#include "limbic/nn/plan.h"

namespace {

using namespace limbic;
using namespace limbic::models;

// Megabytes of this process's own memory.
double resident() {
  std::ifstream in("/proc/self/statm");
  int64_t all = 0, resident = 0;
  in >> all >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1e6;
}

Tensor noise(const Shape& shape) {
  Tensor out(shape);
  Random random(1);
  for (float& x : out.values()) x = static_cast<float>(random.normal());
  return out;
}

double milliseconds(Plan& plan, const Tensor& images) {
  const double start = now();
  plan.run(images);
  return 1e3 * (now() - start);
}

double median(std::vector<double> v) {
  std::nth_element(v.begin(), v.begin() + static_cast<int64_t>(v.size() / 2), v.end());
  return v[v.size() / 2];
}

void several_plans() {
  const Model model = build_model("resnet101", 1000);
  const Parameters parameters = model.graph.initialise(1);
  const double before = resident();
  std::vector<std::unique_ptr<Plan>> plans;
  double arenas = 0, weights = 0;
  for (const int64_t n : {8, 4, 2, 1}) {
    const Shape shape = {n, 3, 224, 224};
    const double start = now();
    plans.push_back(plans.empty() ? std::make_unique<Plan>(model.graph, parameters,
                                                           PlanOptions::inference(shape))
                                  : std::make_unique<Plan>(*plans[0], shape));
    const double seconds = now() - start;
    if (n == 8) weights = resident() - before;
    plans.back()->run(noise(shape));
    arenas += static_cast<double>(plans.back()->arena_bytes()) / 1e6;
    std::printf("resnet101, N = %d: made in %.0f ms, arena %.0f MB, resident %.0f MB more\n",
                static_cast<int>(n), 1e3 * seconds,
                static_cast<double>(plans.back()->arena_bytes()) / 1e6, resident() - before);
  }
  std::printf("four plans: %.0f MB; weights once and arenas: %.0f MB; ratio %.2f\n",
              resident() - before, weights + arenas, (resident() - before) / (weights + arenas));
}

void partial_batches(int rounds) {
  const Model model = build_model("resnet101", 1000);
  const Parameters parameters = model.graph.initialise(1);
  Plan eight(model.graph, parameters, PlanOptions::inference({8, 3, 224, 224}));
  for (const int64_t n : {1, 3}) {
    const Tensor images = noise({n, 3, 224, 224});
    Plan own(model.graph, parameters, PlanOptions::inference(images.shape()));
    const double first = milliseconds(eight, images);
    std::vector<double> in_eight, in_own;
    for (int i = 0; i < rounds; ++i) {
      in_eight.push_back(milliseconds(eight, images));
      in_own.push_back(milliseconds(own, images));
    }
    std::printf(
        "%d pictures in the plan for 8: %.0f ms, in the plan for %d: %.0f ms, ratio %.3f; "
        "the first time %.0f ms\n",
        static_cast<int>(n), median(in_eight), static_cast<int>(n), median(in_own),
        median(in_eight) / median(in_own), first);
  }
}

void many_sizes() {
  const Model model = build_model("squeezenet1_1", 1000);
  const Parameters parameters = model.graph.initialise(1);
  Plan first(model.graph, parameters, PlanOptions::inference({1, 3, 224, 224}));
  double at_20 = 0, seconds = 0;
  for (int64_t i = 0; i < 200; ++i) {
    const Tensor images = noise({1, 3, 150 + i, 350 - i});
    const double start = now();
    Plan plan(first, images.shape());
    plan.run(images);
    seconds += now() - start;
    if (i == 19) at_20 = resident();
    if (i % 60 == 19)
      std::printf("squeezenet1_1, photo %d: resident %.0f MB\n", static_cast<int>(i + 1),
                  resident());
  }
  std::printf("200 photos of 200 sizes: %.1f ms each with its plan, %.2f times the memory of 20\n",
              1e3 * seconds / 200, resident() / at_20);
}

}  // namespace

int main(int argc, char** argv) {
  several_plans();
  partial_batches(argc > 1 ? std::atoi(argv[1]) : 9);
  many_sizes();
}
