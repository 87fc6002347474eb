#include "train/network.h"

#include <nlohmann/json.hpp>

#include "train/network_weights.h"
#include "weights/load.h"
#include "weights/official.h"

namespace limbic {
namespace {

// The first dimension of the classifier's weight; 0 where the file has none.
int64_t classes_of(const Checkpoint& checkpoint, const std::string& classifier) {
  const auto found = checkpoint.tensors.find(classifier + ".weight");
  return found == checkpoint.tensors.end() || found->second.rank() == 0 ? 0 : found->second.dim(0);
}

Preset preset_of(const NetworkSource& source, const Checkpoint& checkpoint, Network& network) {
  if (!source.preset.empty()) return find_preset(source.preset);
  if (const auto stored = checkpoint.metadata.find("limbic.preset");
      stored != checkpoint.metadata.end())
    return preset_from_json(stored->second);
  if (!source.weights.empty())
    if (const OfficialFile* official = recognise(checkpoint.file.bytes)) {
      network.remarks.push_back(
          str_cat("preset: ", official->preset, " (", source.weights, " is ", official->name, ")"));
      return find_preset(official->preset);
    }
  network.remarks.push_back(str_cat("preset: ", network.model.preset, " (the default of ",
                                    source.model, "; --preset chooses another)"));
  Preset preset = find_preset(network.model.preset);
  // Fresh weights follow nobody's habits: they may see photos the right way up.
  if (source.weights.empty()) preset.apply_exif = true;
  return preset;
}

std::vector<std::string> labels_of(const Checkpoint& checkpoint, int64_t classes) {
  const auto stored = checkpoint.metadata.find("limbic.classes");
  if (stored == checkpoint.metadata.end()) return {};
  const auto names = nlohmann::json::parse(stored->second, nullptr, false);
  if (!names.is_array() || static_cast<int64_t>(names.size()) != classes) return {};
  std::vector<std::string> labels;
  for (const auto& name : names) labels.push_back(name.is_string() ? name : "");
  return labels;
}

}  // namespace

Network open_network(const NetworkSource& source) {
  const Model one = build_model(source.model, 1);
  Checkpoint checkpoint;
  if (!source.weights.empty()) checkpoint = read_checkpoint_for(one.graph, source.weights);
  int64_t classes = source.classes;
  if (classes == 0) classes = classes_of(checkpoint, one.classifier);
  Network network;
  network.model = build_model(source.model, classes > 0 ? classes : 1000);
  network.parameters =
      network.model.graph.initialise(source.seed, not_loaded_from(checkpoint.tensors));
  if (!source.weights.empty()) {
    const LoadReport report = load_parameters(checkpoint.tensors, network.parameters,
                                              {.source = source.weights,
                                               .replaceable = {network.model.classifier},
                                               .file = &checkpoint.file,
                                               .share = source.share});
    if (!report.replaced.empty())
      network.remarks.push_back(
          str_cat(source.weights, ": its classifier of ", report.replaced[0].file.at(0),
                  " classes is replaced by a fresh one of ", network.model.classes));
  }
  network.labels = labels_of(checkpoint, network.model.classes);
  network.preset = preset_of(source, checkpoint, network);
  if (source.image_size > 0 && source.image_size != network.preset.crop)
    network.preset = with_image_size(network.preset, source.image_size);
  network.metadata = std::move(checkpoint.metadata);
  network.extras = std::move(checkpoint.extras);
  return network;
}

}  // namespace limbic
