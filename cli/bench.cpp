#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>

#include "limbic/cli/network.h"
#include "limbic/cli/verbs.h"
#include "limbic/core/clock.h"
#include "limbic/core/parallel.h"
#include "limbic/network/dtype_choice.h"
#include "limbic/nn/calibrate.h"
#include "limbic/nn/compile/program.h"
#include "limbic/nn/plan.h"
#include "limbic/train/optimiser.h"

namespace limbic::cli {
namespace {

struct Options {
  std::string model, mode = "infer", dtype = "f32", tune = "on";
  int64_t batch_size = 8, image_size = 0, repeat = 10;
  bool layers = false;
};

double peak_rss_mb() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

int run(const Common& common, Options& o) {
  const bool training = o.mode == "train";
#ifndef LIMBIC_TRAINING
  require(!training, "--mode train: this program was built for inference alone");
#endif
  const bool small_images = models::find_architecture(o.model).image_size == 32;
  const models::Model model = models::build_model(o.model, small_images ? 10 : 1000);
  const int64_t size = o.image_size > 0 ? o.image_size : model.image_size;
  const Shape input = {o.batch_size, 3, size, size};
  const Parameters parameters = model.graph.initialise(common.seed);
  PlanOptions options = training ? PlanOptions::training(input) : PlanOptions::inference(input);
  options.dtype = network::activation_dtype(o.dtype);
  options.tune = o.tune == "on" && !training;
  options.keep_parameter_gradients = false;
  Tensor images(input);
  Random random(common.seed);
  for (float& x : images.values()) x = static_cast<float>(random.normal());
  require(options.dtype != DType::i8 || !training, "int8 is for --mode infer");
  if (options.dtype == DType::i8)
    options.calibration = calibrate(model.graph, parameters, {images});
  if (o.dtype == "auto") {
    require(!training, "--dtype auto is for --mode infer");
    // Weights and pictures are random: nobody's first class is right.
    auto answer =
        network::choose_dtype({model, parameters, options, [&] { return std::vector{images}; }, 0});
    options = answer.options;
    o.dtype = network::activation_name(options.dtype);
    note(common, "--dtype auto: " + answer.reason);
  }
  Plan plan(model.graph, parameters, options);
  std::optional<train::Sgd> sgd;
  if (training) sgd.emplace(plan, train::SgdOptions{});
  const std::vector<float> diff(static_cast<size_t>(o.batch_size * model.classes), 1e-3f);

  std::vector<double> seconds;
  double reorders_before = 0, total = 0;
  for (int64_t i = 0; i <= o.repeat; ++i) {
    if (i == 1) {
      plan.set_profiling(true);
      reorders_before = onednn::reorder_seconds();
    }
    const double start = now();
    plan.run(images);
    if (training) sgd->step(diff, 1e-6);
    if (i == 0) continue;  // the first run warms up
    seconds.push_back(now() - start);
    total += seconds.back();
  }
  const double reorder_share = (onednn::reorder_seconds() - reorders_before) / total;
  std::sort(seconds.begin(), seconds.end());
  const double median = seconds[seconds.size() / 2];
  int64_t macs = 0;
  const auto shapes = model.graph.infer(input);
  for (size_t n = 1; n < shapes.size(); ++n) {
    std::vector<Shape> src;
    for (int s : model.graph.nodes()[n].src) src.push_back(shapes[static_cast<size_t>(s)]);
    macs += model.graph.nodes()[n].op->multiply_adds(src);
  }
  const double gflops = 2e-9 * static_cast<double>(macs) * (training ? 3 : 1) / median;
  const double images_per_second = static_cast<double>(o.batch_size) / median;
  const auto convolutions = plan.program().convolutions();
  double all = 0;
  for (const auto& node : plan.profile()) all += node.forward + node.backward;
  if (common.json()) {
    nlohmann::ordered_json layers = nlohmann::ordered_json::array();
    for (const auto& node : plan.profile())
      if (o.layers && node.forward > 0)
        layers.push_back({{"name", node.name},
                          {"type", node.type},
                          {"implementation", node.implementation},
                          {"forward_ms", 1e3 * node.forward / static_cast<double>(o.repeat)},
                          {"backward_ms", 1e3 * node.backward / static_cast<double>(o.repeat)}});
    nlohmann::ordered_json result = {{"model", o.model},
                                     {"mode", o.mode},
                                     {"dtype", o.dtype},
                                     {"batch_size", o.batch_size},
                                     {"threads", threads()},
                                     {"images_per_second", images_per_second},
                                     {"median_ms", 1e3 * median},
                                     {"peak_rss_mb", peak_rss_mb()},
                                     {"reorder_share", reorder_share},
                                     {"gflops", gflops},
                                     {"convolutions", convolutions.all},
                                     {"convolutions_int8", convolutions.in_8_bits}};
    if (o.layers) result["layers"] = layers;
    print_json(result);
    return done;
  }
  std::printf("%s, %s, batch %ld, %ldx%ld, %d threads, oneDNN %s\n", o.model.c_str(),
              o.mode.c_str(), o.batch_size, size, size, threads(), onednn::version().c_str());
  std::printf(
      "  %.1f images/s   median %.1f ms (min %.1f, max %.1f)   %.0f GFLOP/s   reorders %.1f %%   "
      "peak %.0f MB\n",
      images_per_second, 1e3 * median, 1e3 * seconds.front(), 1e3 * seconds.back(), gflops,
      100 * reorder_share, peak_rss_mb());
  if (options.dtype == DType::i8)
    std::printf("  %ld of %ld convolutions in 8 bits\n", convolutions.in_8_bits, convolutions.all);
  std::map<std::string, std::pair<double, double>> types;
  for (const auto& node : plan.profile()) {
    types[node.type].first += node.forward;
    types[node.type].second += node.backward;
    if (o.layers && node.forward > 0)
      std::printf("  %-44s %-12s %8.3f ms %8.3f ms  %s\n", node.name.c_str(), node.type.c_str(),
                  1e3 * node.forward / static_cast<double>(o.repeat),
                  1e3 * node.backward / static_cast<double>(o.repeat), node.implementation.c_str());
  }
  for (const auto& [type, time] : types)
    std::printf("  %-20s %5.1f %%   forward %8.2f ms   backward %8.2f ms\n", type.c_str(),
                100 * (time.first + time.second) / all,
                1e3 * time.first / static_cast<double>(o.repeat),
                1e3 * time.second / static_cast<double>(o.repeat));
  return done;
}

}  // namespace

void add_bench(const Verb& app, const Common& common, Action& action) {
  auto o = std::make_shared<Options>();
  const Verb verb =
      add_verb(app, action, "bench", "Speed and memory of a network on this machine.",
               "limbic bench --model resnet50 --batch-size 8 --mode infer", o, run, common);
  verb.add_option("--model", o->model, "architecture").required().check(known_model(false));
  verb.add_option("--batch-size", o->batch_size, "pictures at once").check(range(1, 4096));
  verb.add_option("--image-size", o->image_size, "height and width (default: the model's)")
      .check(range(1, 4096));
  verb.add_option("--mode", o->mode, "infer or train").check(one_of({"infer", "train"}));
  verb.add_option("--dtype", o->dtype, "f32, bf16, int8; auto: the fastest here")
      .check(one_of({"f32", "bf16", "int8", "auto"}));
  verb.add_option("--repeat", o->repeat, "timed runs").check(range(1, 100000));
  verb.add_option("--tune", o->tune, "on or off").check(one_of({"on", "off"}));
  verb.add_flag("--layers", o->layers, "times of each layer");
}

}  // namespace limbic::cli
