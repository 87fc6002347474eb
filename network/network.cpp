#include "limbic/network/network.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "limbic/network/network_weights.h"
#include "limbic/weights/load.h"
#include "limbic/weights/official.h"

namespace limbic::network {
namespace {

// The first dimension of the classifier's weight; 0 where the file has none.
int64_t classes_of(const weights::Checkpoint& checkpoint, const std::string& classifier) {
  const auto found = checkpoint.tensors.find(classifier + ".weight");
  return found == checkpoint.tensors.end() || found->second.rank() == 0 ? 0 : found->second.dim(0);
}

io::Preset preset_of(const NetworkSource& source, const weights::Checkpoint& checkpoint,
                     Network& network) {
  if (!source.preset.empty()) return io::find_preset(source.preset);
  if (const auto stored = checkpoint.metadata.find("limbic.preset");
      stored != checkpoint.metadata.end())
    return io::preset_from_json(stored->second);
  if (!source.weights.empty())
    if (const weights::OfficialFile* official = weights::recognise(checkpoint.file.bytes)) {
      network.remarks.push_back(
          str_cat("preset: ", official->preset, " (", source.weights, " is ", official->name, ")"));
      return io::find_preset(official->preset);
    }
  network.remarks.push_back(str_cat("preset: ", network.model.preset, " (the default of ",
                                    source.model, "; --preset chooses another)"));
  io::Preset preset = io::find_preset(network.model.preset);
  // Fresh weights follow nobody's habits: they may see photos the right way up.
  if (source.weights.empty()) preset.apply_exif = true;
  return preset;
}

std::vector<std::string> labels_of(const weights::Checkpoint& checkpoint, int64_t classes) {
  const auto stored = checkpoint.metadata.find("limbic.classes");
  if (stored == checkpoint.metadata.end()) return {};
  const auto names = nlohmann::json::parse(stored->second, nullptr, false);
  if (!names.is_array() || static_cast<int64_t>(names.size()) != classes) return {};
  std::vector<std::string> labels;
  for (const auto& name : names) labels.push_back(name.is_string() ? name : "");
  return labels;
}

bool is_of(const std::string& tensor, const std::string& layer) {
  return tensor.starts_with(layer + ".");
}

std::string in_line(const std::vector<std::string>& names) {
  std::string out;
  constexpr size_t shown = 8;
  for (size_t i = 0; i < std::min(names.size(), shown); ++i) out += (i ? ", " : "") + names[i];
  return names.size() > shown ? str_cat(out, " and ", names.size() - shown, " more") : out;
}

// The rows of a classifier's tensor, the classes, in the order `wanted` of their names.
Tensor in_order(const Tensor& tensor, const std::vector<std::string>& names,
                const std::vector<std::string>& wanted) {
  Tensor out = Tensor::uninitialised(tensor.shape(), tensor.dtype());
  for (size_t i = 0; i < wanted.size(); ++i) {
    const auto from = std::find(names.begin(), names.end(), wanted[i]) - names.begin();
    const auto to = static_cast<int64_t>(i);
    const Tensor row = tensor.rows(from, from + 1);
    std::memcpy(out.rows(to, to + 1).raw(), row.raw(), static_cast<size_t>(row.bytes()));
  }
  return out;
}

// Makes the checkpoint's classifier one of the wanted classes where it names its own. Returns
// whether it must be left out, its classes being others.
bool match_classes(const NetworkSource& source, const std::string& classifier,
                   weights::Checkpoint& checkpoint, Network& network) {
  const int64_t n = classes_of(checkpoint, classifier);
  const std::vector<std::string> names = labels_of(checkpoint, n);
  const std::vector<std::string>& wanted = source.class_names;
  if (wanted.empty() || names.empty() || names == wanted) return false;
  const bool same = std::is_permutation(names.begin(), names.end(), wanted.begin(), wanted.end()) &&
                    std::set(names.begin(), names.end()).size() == names.size();
  if (same)
    for (auto& [name, tensor] : checkpoint.tensors)
      if (is_of(name, classifier) && tensor.rank() > 0 && tensor.dim(0) == n)
        tensor = in_order(tensor, names, wanted);
  network.remarks.push_back(str_cat(source.weights, ": its classifier of ", n, " classes (",
                                    in_line(names), ") is ",
                                    same ? "put into the order of " : "replaced by a fresh one of ",
                                    wanted.size(), " (", in_line(wanted), ")"));
  return !same;
}

}  // namespace

Network open_network(const NetworkSource& source) {
  require(source.classes >= 0, source.model,
          ": expected 0 classes (the checkpoint's) or more, got ", source.classes);
  require(source.class_names.empty() || std::ssize(source.class_names) == source.classes,
          source.model, ": ", source.class_names.size(), " names for ", source.classes, " classes");
  Network network;
  network.model = models::build_model(source.model, source.classes > 0 ? source.classes : 1000);
  weights::Checkpoint checkpoint;
  if (!source.weights.empty())
    checkpoint = read_checkpoint_for(network.model.graph, source.weights);
  const int64_t stored = classes_of(checkpoint, network.model.classifier);
  if (source.classes == 0 && stored > 0 && stored != network.model.classes)
    network.model = models::build_model(source.model, stored);
  const std::string& classifier = network.model.classifier;
  const bool left_out = match_classes(source, classifier, checkpoint, network);
  if (left_out)
    std::erase_if(checkpoint.tensors, [&](const auto& t) { return is_of(t.first, classifier); });
  network.parameters =
      network.model.graph.initialise(source.seed, weights::not_loaded_from(checkpoint.tensors));
  if (left_out)  // on purpose, so that it is not missing
    for (const auto& [name, parameter] : network.parameters)
      if (is_of(name, classifier)) checkpoint.tensors[name] = parameter.value;
  if (!source.weights.empty()) {
    const weights::LoadReport report =
        weights::load_parameters(checkpoint.tensors, network.parameters,
                                 {.source = source.weights,
                                  .replaceable = {classifier},
                                  .file = &checkpoint.file,
                                  .share = source.share});
    if (!report.replaced.empty())
      network.remarks.push_back(
          str_cat(source.weights, ": its classifier of ", report.replaced[0].file.at(0),
                  " classes is replaced by a fresh one of ", network.model.classes));
  }
  network.labels = source.class_names.empty() ? labels_of(checkpoint, network.model.classes)
                                              : source.class_names;
  network.preset = preset_of(source, checkpoint, network);
  if (source.image_size > 0 && source.image_size != network.preset.crop)
    network.preset = io::with_image_size(network.preset, source.image_size);
  network.metadata = std::move(checkpoint.metadata);
  network.extras = std::move(checkpoint.extras);
  network.file = std::move(checkpoint.file);
  return network;
}

}  // namespace limbic::network
