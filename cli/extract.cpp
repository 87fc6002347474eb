#include <nlohmann/json.hpp>

#include "limbic/cli/data_options.h"
#include "limbic/cli/network.h"
#include "limbic/cli/output.h"
#include "limbic/cli/verbs.h"
#include "limbic/core/file.h"
#include "limbic/hash/hash.h"
#include "limbic/network/predictor.h"
#include "limbic/weights/safetensors.h"

namespace limbic::cli {
namespace {

struct Options {
  NetworkOptions network;
  DataOptions data;
  std::string layer = "features", out;
  int64_t batch_size = 16;
};

int run(const Common& common, Options& o) {
  require_writable(o.out);
  network::Network network = load_network(common, o.network);
  network.model.graph.find(o.layer);  // a wrong name is said before the work, not after
  const io::Dataset data = o.data.list(common);
  const int64_t batch = std::min(o.batch_size, data.size());
  io::Loader loader(data, network.preset, std::nullopt, {.batch_size = batch, .cache_bytes = 0});
  network::Predictor predictor(network.model, network.parameters,
                               network::input_shape(batch, network.preset), o.layer);
  const network::Outputs out = predictor.run(loader, "extracting", progress_bar(common));
  const std::string checkpoint_hash = sha256(network.file.bytes);  // of what was read
  network.file.require_intact();
  nlohmann::json paths = nlohmann::json::array();
  for (int64_t i : out.indices) paths.push_back(data.samples[static_cast<size_t>(i)].path);
  weights::write_safetensors(
      o.out, {{"features", out.values}, {"labels", Tensor::of(out.labels, {out.values.dim(0)})}},
      {{"paths", paths.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)},
       {"classes", nlohmann::json(data.classes).dump()},
       {"checkpoint_sha256", checkpoint_hash},
       {"model", network.model.name},
       {"layer", o.layer},
       {"preset", io::to_json(network.preset)}});
  note(common, str_cat("wrote ", to_string(out.values.shape()), " features to ", o.out));
  return report_skipped(loader.skipped(), data);
}

}  // namespace

void add_extract(const Verb& app, const Common& common, Action& action) {
  auto o = std::make_shared<Options>();
  const Verb verb = add_verb(
      app, action, "extract", "Features of labelled photos, as one .safetensors file.",
      "limbic extract --model squeezenet1_1 --weights squeezenet1_1.safetensors --data photos "
      "--out features.safetensors",
      o, run, common);
  o->network.add_to(verb, true);
  o->data.add_to(verb);
  verb.add_option("--layer", o->layer, "features, logits, a stage or any layer's name");
  verb.add_option("--out", o->out, "file to write").required();
  verb.add_option("--batch-size", o->batch_size, "pictures computed at once").check(range(1, 4096));
}

}  // namespace limbic::cli
