#include "limbic/network/network.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "limbic/core/json_numbers.h"
#include "limbic/network/config_file.h"
#include "limbic/network/keras_config.h"
#include "limbic/network/network_weights.h"
#include "limbic/nn/ops/conv2d.h"
#include "limbic/weights/header.h"
#include "limbic/weights/load.h"
#include "limbic/weights/match.h"
#include "limbic/weights/official.h"

namespace limbic::network {
namespace {

// What is in memory lies beside nothing.
ConfigFile config_beside(const NetworkSource& source) {
  return source.file ? ConfigFile{} : read_config_beside(source.weights);
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
  if (const ConfigFile config = config_beside(source); config.preset) {
    network.remarks.push_back("preset: as " + config.path + " says");
    return *config.preset;
  }
  network.remarks.push_back(str_cat("preset: ", network.model.preset, " (the default of ",
                                    network.model.name, "; --preset chooses another)"));
  io::Preset preset = io::find_preset(network.model.preset);
  // Fresh weights follow nobody's habits: they may see photos the right way up.
  if (source.weights.empty()) preset.apply_exif = true;
  return preset;
}

std::vector<std::string> labels_of(const weights::Checkpoint& checkpoint, int64_t classes) {
  const auto stored = checkpoint.metadata.find("limbic.classes");
  if (stored == checkpoint.metadata.end()) return {};
  const auto names = try_parse_json<nlohmann::json>(stored->second);
  if (!names.is_array() || static_cast<int64_t>(names.size()) != classes) return {};
  std::vector<std::string> labels;
  for (const auto& name : names) labels.push_back(name.is_string() ? name : "");
  return labels;
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
bool match_classes(const NetworkSource& source, const weights::Checkpoint& checkpoint,
                   weights::HeadLayer& last, Network& network) {
  const int64_t n = last.weight.dim(0);
  const std::vector<std::string> names = labels_of(checkpoint, n);
  const std::vector<std::string>& wanted = source.class_names;
  if (wanted.empty() || names.empty() || names == wanted) return false;
  const bool same = std::is_permutation(names.begin(), names.end(), wanted.begin(), wanted.end()) &&
                    std::set(names.begin(), names.end()).size() == names.size();
  if (same)
    for (Tensor* tensor : {&last.weight, &last.bias})
      if (!tensor->empty()) *tensor = in_order(*tensor, names, wanted);
  network.remarks.push_back(str_cat(source.weights, ": its classifier of ", n, " classes (",
                                    in_line(names), ") is ",
                                    same ? "put into the order of " : "replaced by a fresh one of ",
                                    wanted.size(), " (", in_line(wanted), ")"));
  return !same;
}

weights::NetworkNames names_of(const models::Model& model, const std::string& state = "") {
  weights::NetworkNames out{
      model.name, {}, model.classifier, 0, models::find_architecture(model.name).partial, state};
  for (const Node& node : model.graph.nodes()) {
    if (node.parameters.empty()) continue;
    const auto specs = node.op->parameters();
    for (size_t i = 0; i < specs.size(); ++i) out.shapes[node.parameters[i]] = specs[i].shape;
  }
  out.features = model.graph.nodes()[static_cast<size_t>(model.graph.find("features"))].channels;
  return out;
}

void add_list(std::string& message, const std::vector<std::string>& names, const char* what) {
  if (names.empty()) return;
  message +=
      str_cat(message.empty() ? "" : "; ", names.size(), " ", what, " (", in_line(names), ")");
}

[[noreturn]] void refuse(const NetworkSource& source, const std::string& model,
                         const weights::Matching& match, const weights::Checkpoint& checkpoint) {
  std::string message;
  add_list(message, match.missing, "missing");
  add_list(message, match.unexpected, "unexpected");
  add_list(message, match.misshapen, "misshapen");
  const std::string likely = recognise_model(checkpoint);
  fail(source.weights, " does not fit the model ", model, ": ", message,
       likely.empty() ? checkpoint.format == "Keras" && !model.starts_with("keras_")
                            ? ". It is a file of Keras', whose networks are called keras_..."
                            : ". Is this the right --model?"
                      : ". Its tensors are those of " + likely + " (--model " + likely + ")");
}

// The layers between the features and the last one.
std::vector<models::HiddenLayer> hidden_of(const weights::Matching& match) {
  std::vector<models::HiddenLayer> out;
  for (size_t i = 0; i + 1 < match.head.size(); ++i)
    out.push_back({match.head[i].weight.dim(0), match.head[i].activated});
  return out;
}

// Puts the file's classifier under the model's names.
void place_head(const weights::Matching& match, const models::Model& model,
                std::map<std::string, Tensor>& tensors) {
  const std::string first = models::find_architecture(model.name).classifier;
  const weights::NetworkNames names = names_of(model);
  for (size_t i = 0; i < match.head.size(); ++i) {
    const std::string layer = i == 0 ? first : str_cat(first, "_", i);
    const Shape& shape = names.shapes.at(layer + ".weight");
    const weights::HeadLayer& head = match.head[i];
    tensors[layer + ".weight"] =
        head.weight.size() == count(shape) ? head.weight.reshape(shape) : head.weight;
    tensors[layer + ".bias"] = head.bias.empty() ? Tensor({shape[0]}) : head.bias;
  }
}

weights::Matching match_model(const weights::Checkpoint& checkpoint, const models::Model& model,
                              const std::string& state = "") {
  if (checkpoint.metadata.count("keras.names") == 0)
    return weights::match_names(checkpoint.tensors, names_of(model, state));
  weights::Checkpoint numbered = checkpoint;
  name_layers(model.graph, numbered);
  return weights::match_names(numbered.tensors, names_of(model));
}

// That the model pools and strides as the network does: neither has weights that would tell.
void check_layers(const NetworkSource& source, const KerasConfig& config,
                  const models::Model& model) {
  int64_t poolings = 0;
  for (const Node& node : model.graph.nodes()) {
    if (!node.op) continue;
    poolings += std::string_view(node.op->type()) == "max_pool2d";
    const auto* conv = dynamic_cast<const Conv2d*>(node.op.get());
    const auto stride = config.strides.find(node.name);
    require(!conv || stride == config.strides.end() || conv->options().stride.h == stride->second,
            source.weights, ": its layer ", node.name, " has a stride of ",
            stride == config.strides.end() ? 0 : stride->second, ", that of ", model.name,
            " one of ", conv ? conv->options().stride.h : 0);
  }
  require(poolings == config.max_poolings, source.weights, ": the model has ", config.max_poolings,
          " layers of maximum pooling, ", model.name, " has ", poolings);
}

// What the file's own config asks for that is done, or says what is not.
void follow_config(const NetworkSource& source, const weights::Checkpoint& checkpoint,
                   Network& network) {
  const auto stored = checkpoint.metadata.find("keras.config");
  if (stored == checkpoint.metadata.end()) return;
  const KerasConfig config = read_keras_config(stored->second);
  require(config.not_followed.empty(), source.weights, ": the model has ",
          in_line(config.not_followed), ", which ", network.model.name,
          " does not compute; in Keras, save a model without it");
  check_layers(source, config, network.model);
  if (!config.rescaling.empty()) {
    network.preset = with_rescaling(network.preset, config, !source.preset.empty());
    network.remarks.push_back(source.weights + ": pixels are rescaled as the model itself does it");
  }
  if (config.height && source.image_size == 0 && source.preset.empty() &&
      *config.height != network.preset.crop) {
    require(*config.height == *config.width, source.weights, ": the model takes pictures of ",
            *config.height, "x", *config.width, ", here they are square; --image-size N");
    network.preset = io::with_image_size(network.preset, *config.height);
    network.remarks.push_back(str_cat(source.weights, ": the model takes pictures of ",
                                      *config.height, "x", *config.width));
  }
  if (config.activation == "sigmoid" && network.has_classifier)
    network.kind = network.model.classes == 1 ? OutputKind::binary : OutputKind::multilabel;
}

}  // namespace

std::string recognise_model(const weights::Checkpoint& checkpoint) {
  if (const auto named = checkpoint.metadata.find("limbic.model");
      named != checkpoint.metadata.end())
    return named->second;
  std::string best;
  int64_t most = 0;
  for (const models::Architecture& a : models::architectures()) {
    const weights::Matching match = match_model(checkpoint, models::build_model(a.name, 2));
    if (match.complete() && match.matched > most) {
      best = a.name;
      most = match.matched;
    }
  }
  return best;
}

namespace {

// Takes the parameters that may be lacking from what is missing, and what else the file holds from
// what is unexpected: it is of layers that are not there.
std::vector<std::string> take_fresh(const NetworkSource& source, const Graph& graph,
                                    weights::Matching& match) {
  std::vector<std::string> out;
  if (source.fresh.empty()) return out;
  for (const Node& node : graph.nodes())
    for (const std::string& name : node.parameters)
      if (lies_within_any(name, source.fresh) && !match.tensors.contains(name)) out.push_back(name);
  std::erase_if(match.missing, [&](const std::string& text) {
    return std::any_of(out.begin(), out.end(),
                       [&](const std::string& name) { return text == weights::in_quotes(name); });
  });
  if (match.missing.empty() && !match.unexpected.empty()) {
    match.remarks.push_back(
        str_cat(match.unexpected.size(), " tensors beside the network left out"));
    match.unexpected.clear();
  }
  return out;
}

}  // namespace

Network open_network(const NetworkSource& source) {
  require(source.classes >= 0, source.model,
          ": expected 0 classes (the checkpoint's) or more, got ", source.classes);
  require(source.class_names.empty() || std::ssize(source.class_names) == source.classes,
          source.model, ": ", source.class_names.size(), " names for ", source.classes, " classes");
  Network network;
  weights::Checkpoint checkpoint;
  std::string name = source.model;
  if (!source.weights.empty()) {
    const weights::ReadOptions options{.state = source.state};
    checkpoint = source.file ? weights::read_checkpoint(*source.file, options)
                             : weights::read_checkpoint(source.weights, options);
    if (name.empty()) {
      name = recognise_model(checkpoint);
      require(!name.empty(), source.weights,
              ": nothing says which network these weights are of; give --model ARCH");
      network.remarks.push_back("model: " + name + " (as the tensors of " + source.weights +
                                " say)");
    }
  }
  network.model = models::build_model(name, source.classes > 0 ? source.classes : 1000);
  if (!source.weights.empty()) {
    const std::string state = checkpoint.state_found ? "" : source.state;
    weights::Matching match = match_model(checkpoint, network.model, state);
    require(match.prefixes.size() < 2, source.weights,
            ": holds several networks (names that begin ", in_line(match.prefixes),
            "); choose one with --state NAME");
    require(
        state.empty() || (match.prefixes.size() == 1 && match.prefixes[0].ends_with(state + ".")),
        source.weights, ": has no network '", state, "'");
    const std::vector<std::string> drawn = take_fresh(source, network.model.graph, match);
    if (!match.complete()) refuse(source, name, match, checkpoint);
    if (!drawn.empty())
      network.remarks.push_back(str_cat(source.weights, ": lacks ", drawn.size(),
                                        " tensors, which start afresh (--fresh)"));
    for (std::vector<std::string>* remarks : {&checkpoint.remarks, &match.remarks})
      network.remarks.insert(network.remarks.end(), remarks->begin(), remarks->end());
    network.has_classifier = !match.head.empty();
    bool taken = network.has_classifier;
    if (taken) {
      const int64_t stored = match.head.back().weight.dim(0);
      const bool other = source.classes > 0 && stored != source.classes;
      if (other)
        network.remarks.push_back(str_cat(source.weights, ": its classifier of ", stored,
                                          " classes is replaced by a fresh one of ",
                                          network.model.classes));
      taken = !other && !match_classes(source, checkpoint, match.head.back(), network);
      if (taken) {
        network.model = models::build_model(name, stored, hidden_of(match));
        place_head(match, network.model, match.tensors);
        for (size_t i = 0; i + 1 < match.head.size(); ++i)
          network.remarks.push_back(
              str_cat(source.weights, ": ", match.head[i].weight.dim(0),
                      " hidden features in its classifier, ",
                      match.head[i].activated ? "taken to pass a ReLU" : "without an activation"));
      }
    } else if (source.classes == 0) {
      network.remarks.push_back(source.weights +
                                ": has no classifier: features work, classes are not known");
    }
    network.parameters =
        network.model.graph.initialise(source.seed, weights::not_loaded_from(match.tensors));
    if (!taken)  // on purpose, so that it is not missing
      for (const auto& [parameter, value] : network.parameters)
        if (parameter.starts_with(network.model.classifier + "."))
          match.tensors[parameter] = value.value;
    for (const std::string& parameter : drawn)
      match.tensors[parameter] = network.parameters.at(parameter).value;
    weights::load_parameters(
        match.tensors, network.parameters,
        {.source = source.weights, .file = &checkpoint.file, .share = source.share});
    if (!taken) network.labels = source.class_names;
    if (network.has_classifier && network.model.classes == 1) network.kind = OutputKind::binary;
  } else {
    network.parameters = network.model.graph.initialise(source.seed);
  }
  if (network.labels.empty())
    network.labels = source.class_names.empty() ? labels_of(checkpoint, network.model.classes)
                                                : source.class_names;
  if (network.labels.empty() && network.has_classifier)
    if (const ConfigFile config = config_beside(source);
        std::ssize(config.labels) == network.model.classes)
      network.labels = config.labels;
  network.preset = preset_of(source, checkpoint, network);
  follow_config(source, checkpoint, network);
  if (source.image_size > 0 && source.image_size != network.preset.crop)
    network.preset = io::with_image_size(network.preset, source.image_size);
  network.format = checkpoint.format;
  network.states = std::move(checkpoint.states);
  network.metadata = std::move(checkpoint.metadata);
  network.extras = std::move(checkpoint.extras);
  network.file = std::move(checkpoint.file);
  return network;
}

}  // namespace limbic::network
