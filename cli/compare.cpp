#include <algorithm>
#include <cstdio>

#include "limbic/cli/network.h"
#include "limbic/cli/verbs.h"
#include "limbic/core/file.h"
#include "limbic/network/read_batch.h"
#include "limbic/weights/checkpoint.h"
#include "limbic/weights/compare.h"
#include "limbic/weights/safetensors.h"

namespace limbic::cli {
namespace {

struct Options {
  NetworkOptions network;
  PlanChoice plan;
  std::string image, against, dump;
  double tolerance = 1e-4;
  bool stages = false;
};

using Tensors = std::map<std::string, Tensor>;

// All layers, or the stages and outputs alone, in the order of the graph.
std::vector<std::string> layers_of(const models::Model& model, bool stages_only) {
  std::vector<std::string> names = model.stages;
  if (!stages_only)
    for (size_t n = 1; n < model.graph.nodes().size(); ++n)
      names.push_back(model.graph.nodes()[n].name);
  names.insert(names.end(), {"features", "logits"});
  std::stable_sort(names.begin(), names.end(), [&](const auto& a, const auto& b) {
    return model.graph.find(a) < model.graph.find(b);
  });
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

Tensors run_network(const Common& common, const Options& o, const network::Network& network,
                    const Tensor& image, const std::vector<std::string>& names) {
  std::vector<io::SkippedSample> skipped;
  PlanOptions options = o.plan.options(common, network, image.dim(0), {o.image}, skipped);
  report_skipped(skipped);
  options.input = image.shape();
  options.keep = names;
  Plan plan(network.model.graph, network.parameters, options);
  note_convolutions(common, plan.program());
  plan.run(image);
  Tensors out = {{"input", image}};
  for (const std::string& name : names) out[name] = plan.output(name);
  return out;
}

void print(const Common& common, const weights::Comparison& comparison, double tolerance) {
  if (!common.json()) std::printf("%-44s %12s %12s %12s\n", "layer", "largest", "mean", "relative");
  for (const weights::TensorDifference& d : comparison.differences) {
    if (common.json() && d.reason.empty())
      print_json({{"layer", d.name}, {"max", d.max}, {"mean", d.mean}, {"relative", d.relative}});
    else if (common.json())
      print_json({{"layer", d.name}, {"error", d.reason}});
    else if (d.reason.empty())
      std::printf("%-44s %12.3e %12.3e %12.3e%s\n", d.name.c_str(), d.max, d.mean, d.relative,
                  d.relative > tolerance ? "  <" : "");
    else
      std::printf("%-44s %s\n", d.name.c_str(), d.reason.c_str());
  }
  const std::string first =
      comparison.first_apart ? comparison.differences[*comparison.first_apart].name : "";
  if (common.json())
    print_json(
        {{"first_apart", first.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(first)},
         {"compared", comparison.differences.size()},
         {"tolerance", tolerance}});
  else if (first.empty())
    std::printf("no layer of %zu parts (relative difference at most %g)\n",
                comparison.differences.size(), tolerance);
  else
    std::printf("they part at %s (relative difference above %g)\n", first.c_str(), tolerance);
}

int run(const Common& common, Options& o) {
  const network::Network network = load_network(common, o.network);
  require(!o.against.empty() || !o.dump.empty(),
          "compare: nothing to do; give --against or --dump");
  std::vector<std::string> names = layers_of(network.model, o.stages);
  Tensors reference;
  bool is_dump = false;
  if (!o.against.empty()) {
    weights::Checkpoint file = weights::read_checkpoint(o.against);
    is_dump = file.tensors.count("input") > 0;
    if (is_dump) reference = std::move(file.tensors);
  }
  require(is_dump || !o.image.empty(), "compare: which picture? Only a dump brings its own");
  Tensor image =
      o.image.empty()
          ? reference.at("input")
          : network::read_batch({o.image}, network.preset, network::Unusable::refuse).images;
  require(image.rank() == 4 && image.dim(1) == 3 && image.dtype() == DType::f32, o.against,
          ": its input has shape ", to_string(image.shape()), ", expected F32 pictures (N,3,H,W)");
  if (is_dump) {
    std::erase_if(names, [&](const auto& name) { return reference.count(name) == 0; });
    require(!names.empty(), o.against, ": holds no layer of ", network.model.name);
  }
  const Tensors ours = run_network(common, o, network, image, names);
  if (!o.dump.empty()) {
    weights::write_safetensors(o.dump, ours, {{"model", network.model.name}});
    note(common, str_cat("wrote ", ours.size(), " tensors to ", o.dump));
    if (o.against.empty()) return done;
  }
  if (!is_dump) {
    NetworkOptions other = o.network;
    other.weights = o.against;
    other.state.clear();
    other.model = network.model.name;
    reference = run_network(common, o, load_network(common, other), image, names);
  }
  if (!o.image.empty()) names.insert(names.begin(), "input");
  const weights::Comparison comparison =
      weights::compare_tensors(names, ours, reference, o.tolerance);
  print(common, comparison, o.tolerance);
  return comparison.first_apart ? failed : done;
}

}  // namespace

void add_compare(const Verb& app, const Common& common, Action& action) {
  auto o = std::make_shared<Options>();
  const Verb verb = add_verb(
      app, action, "compare",
      "A run beside another, layer by layer: largest and mean difference, ||a-b|| / ||b||, and the "
      "first layer where they part (exit status 1). The other is a dump (of --dump here, or of "
      "scripts/dump_pytorch.py), or other weights of the same network.",
      "limbic compare --model resnet18 --weights resnet18.pth photo.jpg --against dump.safetensors",
      o, run, common);
  o->network.add_to(verb, true);
  verb.add_option("image", o->image, "picture (default: the dump's own input)");
  verb.add_option("--against", o->against, "dump, or checkpoint of the same network");
  verb.add_option("--dump", o->dump, "write this run's layers, for another machine to compare");
  verb.add_option("--tolerance", o->tolerance, "of the relative difference").check(not_negative());
  verb.add_flag("--stages", o->stages,
                "stages, features and logits alone: what lies between stays fused, as in use");
  o->plan.add_to(verb);
}

}  // namespace limbic::cli
