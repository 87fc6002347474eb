#include <cstdio>
#include <ostream>

#include "limbic/cli/network.h"
#include "limbic/cli/output.h"
#include "limbic/cli/verbs.h"
#include "limbic/core/file.h"
#include "limbic/nn/compile/program.h"
#include "limbic/report/graph_drawing.h"

namespace limbic::cli {
namespace {

struct Options {
  std::string model, svg;
  int64_t batch_size = 1, image_size = 0, classes = 1000;
};

int run(const Common& common, Options& o) {
  const models::Model model = models::build_model(o.model, o.classes);
  const int64_t size = o.image_size > 0 ? o.image_size : model.image_size;
  const Shape input = {o.batch_size, 3, size, size};
  if (!o.svg.empty()) {
    require_writable(o.svg);
    const std::string drawing =
        report::draw_graph(model.graph, input, o.model + " on " + to_string(input));
    write_atomically(o.svg, [&](std::ostream& file) { file << drawing; });
    note(common, str_cat(o.svg, ": the graph, ", drawing.size() / 1000 + 1, " kB"));
  }
  const Parameters parameters = model.graph.initialise(0);
  const std::vector<Shape> shapes = model.graph.infer(input);
  nlohmann::ordered_json layers = nlohmann::ordered_json::array();
  int64_t macs = 0, buffers = 0;
  const auto& nodes = model.graph.nodes();
  if (!common.json())
    std::printf("%-42s %-16s %-20s %12s %14s\n", "layer", "type", "output", "parameters",
                "multiply-adds");
  for (size_t n = 1; n < nodes.size(); ++n) {
    std::vector<Shape> src;
    for (int s : nodes[n].src) src.push_back(shapes[static_cast<size_t>(s)]);
    int64_t own = 0;
    for (const auto& name : nodes[n].parameters) {
      const Parameter& p = parameters.at(name);
      (p.trainable ? own : buffers) += p.value.size();
    }
    const int64_t work = nodes[n].op->multiply_adds(src);
    macs += work;
    if (common.json())
      layers.push_back({{"name", nodes[n].name},
                        {"type", nodes[n].op->type()},
                        {"output", shapes[n]},
                        {"parameters", own},
                        {"macs", work}});
    else
      std::printf("%-42s %-16s %-20s %12ld %14ld\n", nodes[n].name.c_str(), nodes[n].op->type(),
                  to_string(shapes[n]).c_str(), own, work);
  }
  const auto arena = [&](PlanOptions options) {
    return Program(model.graph, parameters, std::move(options)).memory().arena.bytes;
  };
  const int64_t infer = arena(PlanOptions::inference(input));
  const int64_t train = arena(PlanOptions::training(input));
  const int64_t weights = 4 * (parameters.trainable_elements() + buffers);
  if (common.json()) {
    print_json({{"model", o.model},
                {"parameters", parameters.trainable_elements()},
                {"macs", macs},
                {"input", input},
                {"inference_bytes", infer + weights},
                {"training_bytes", train + 3 * weights},
                {"layers", layers}});
    return done;
  }
  std::printf(
      "\n%s on %s\n  parameters          %15ld\n  multiply-adds       %15ld\n"
      "  memory, inference   %12.1f MB\n  memory, training    %12.1f MB\n",
      o.model.c_str(), to_string(input).c_str(), parameters.trainable_elements(), macs,
      static_cast<double>(infer + weights) / 1e6, static_cast<double>(train + 3 * weights) / 1e6);
  return done;
}

}  // namespace

void add_summary(const Verb& app, const Common& common, Action& action) {
  auto o = std::make_shared<Options>();
  const Verb verb = add_verb(app, action, "summary",
                             "Layers, shapes, parameters, multiply-adds and memory of a network.",
                             "limbic summary resnet101 --batch-size 8", o, run, common);
  verb.add_option("model", o->model, "architecture").required().check(known_model(false));
  verb.add_option("--batch-size", o->batch_size, "pictures at once").check(range(1, 4096));
  verb.add_option("--image-size", o->image_size, "height and width (default: the model's)")
      .check(range(1, 4096));
  verb.add_option("--svg", o->svg, "also draw the graph into this file");
  verb.add_option("--classes", o->classes, "of the classifier").check(range(1, 1000000));
}

}  // namespace limbic::cli
