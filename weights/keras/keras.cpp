#include "limbic/weights/keras/keras.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <set>

#include "limbic/weights/header.h"
#include "limbic/weights/keras/config.h"
#include "limbic/weights/keras/variables.h"
#include "limbic/weights/zip.h"

namespace limbic::weights {
namespace {

constexpr int max_nesting = 16;
constexpr size_t max_config = size_t{4} << 20;
constexpr size_t max_variables = 1024;  // of a layer

// A list of names, which Keras splits into NAME0, NAME1 ... where it is long.
std::vector<std::string> names(Hdf5File& file, uint64_t group, const std::string& name) {
  if (auto whole = file.text(group, name)) return std::move(*whole);
  std::vector<std::string> out;
  for (int i = 0;; ++i) {
    auto part = file.text(group, str_cat(name, i));
    if (!part) return out;
    std::move(part->begin(), part->end(), std::back_inserter(out));
  }
}

std::string first_text(Hdf5File& file, uint64_t group, const std::string& name) {
  auto text = file.text(group, name);
  return text && !text->empty() ? std::move(text->front()) : std::string();
}

// The layers of the first DenseNet files under today's names.
std::string todays_name(std::string name) {
  std::replace(name.begin(), name.end(), '/', '_');
  return name == "fc1000" ? "predictions" : name;
}

// "conv1/bn/gamma:0" -> {"conv1/bn", "gamma"}
struct WeightName {
  std::string layer, variable;
};
WeightName take_apart(const std::string& name) {
  const size_t slash = name.rfind('/');
  std::string variable = slash == std::string::npos ? name : name.substr(slash + 1);
  variable = variable.substr(0, variable.find(':'));
  return {slash == std::string::npos ? std::string() : name.substr(0, slash), variable};
}

class Reader {
 public:
  Reader(Hdf5File& file, Checkpoint& out) : file_(file), out_(out) {}

  void use_config(std::string_view json) {
    if (json.empty()) return;
    require(json.size() <= max_config, path(), ": the model's config has ", json.size(),
            " bytes, at most ", max_config, " are read");
    config_ = read_keras_config(json, path() + ": the model's config ");
    inner_.resize(config_.size());
    for (size_t i = 0; i < config_.size(); ++i) {
      by_name_.emplace(config_[i].name, &config_[i]);
      if (config_[i].parent >= 0) inner_[static_cast<size_t>(config_[i].parent)].push_back(i);
    }
    out_.metadata["keras.config"] = json;
  }

  // The .h5 format: a group for each layer, with a list of its weights' names.
  void read_legacy(uint64_t root) {
    require(first_text(file_, root, "backend") != "theano", path(),
            ": Theano's kernels are turned by 180 degrees, which is not undone here; load and save "
            "the model with Keras 2 on TensorFlow");
    for (const std::string& layer : names(file_, root, "layer_names")) {
      const auto group = file_.find(root, layer);
      require(group.has_value(), path(), ": the layer ", in_quotes(layer),
              " is listed, but is not there; the file is damaged");
      read_group(*group, layer);
    }
  }

  // Keras 3: layers/CLASS_N/vars/0, 1 ...; a nested model has "layers" of its own.
  void read_numbered(uint64_t model, int config, const std::string& prefix, int depth) {
    require(depth < max_nesting, path(), ": models are nested over ", max_nesting, " deep");
    require(models_.insert(model).second, path(), ": a model is in the file twice or in itself");
    const auto layers = file_.find(model, "layers");
    if (!layers) return;
    const std::map<std::string, int> numbers = numbers_of(config);
    for (const auto& [number, object] : file_.links(*layers)) {
      const auto found = numbers.find(number);
      const int declared = found == numbers.end() ? -1 : found->second;
      read_layer(object, number, declared, prefix);
      if (file_.is_group(object)) read_numbered(object, declared, prefix + number + "/", depth + 1);
    }
  }

 private:
  const std::string& path() const { return file_.bytes().path(); }

  // One group is one layer, or a whole nested model, whose weights' names say the layers.
  void read_group(uint64_t group, const std::string& name) {
    std::vector<KerasWeights> layers;
    std::map<std::string, size_t> index;
    for (const std::string& weight : names(file_, group, "weight_names")) {
      const auto object = file_.find(group, weight);
      require(object.has_value(), path(), ": the weight ", in_quotes(weight), " of layer ",
              in_quotes(name), " is listed, but is not there; the file is damaged");
      WeightName parts = take_apart(weight);
      file_.bytes().keep(2 * weight.size() + 256);
      if (parts.variable == "seed_generator_state") continue;
      const auto [at, fresh] = index.emplace(parts.layer, layers.size());
      if (fresh) layers.push_back({.layer = parts.layer, .kind = {}, .variables = {}});
      layers[at->second].variables.push_back({parts.variable, *object});
    }
    for (KerasWeights& layer : layers) {
      // TensorFlow may have put a number or a scope of its own into the weights' names.
      if (layers.size() == 1 && !is_model(name, layer.layer)) layer.layer = name;
      if (layer.layer.starts_with(name + "/") && layers.size() > 1)
        layer.layer = layer.layer.substr(name.size() + 1);
      const auto declared = by_name_.find(layer.layer);
      if (declared != by_name_.end()) layer.kind = declared->second->kind;
      layer.layer = todays_name(layer.layer);
      read_variables(file_, layer, out_.tensors);
    }
  }

  // Whether the layer called so is a model that holds the layer of this name.
  bool is_model(const std::string& name, const std::string& inner) const {
    const auto model = by_name_.find(name), layer = by_name_.find(inner);
    return model != by_name_.end() && layer != by_name_.end() && layer->second->parent >= 0 &&
           &config_[static_cast<size_t>(layer->second->parent)] == model->second;
  }

  // "conv2d_3" -> index in the config, for the layers of the model of this index.
  std::map<std::string, int> numbers_of(int model) const {
    std::map<std::string, int> used, out;
    if (model < 0) return out;
    for (size_t i : inner_[static_cast<size_t>(model)]) {
      const std::string& kind = config_[i].kind;
      const int number = used[kind]++;
      out[number == 0 ? kind : str_cat(kind, "_", number)] = static_cast<int>(i);
    }
    return out;
  }

  void read_layer(uint64_t object, const std::string& number, int declared,
                  const std::string& prefix) {
    const auto vars = file_.find(object, "vars");
    if (!vars) return;
    KerasWeights layer{.layer = first_text(file_, *vars, "name"), .kind = number, .variables = {}};
    const size_t underscore = number.rfind('_');
    if (underscore != std::string::npos && underscore + 1 < number.size() &&
        number.find_first_not_of("0123456789", underscore + 1) == std::string::npos)
      layer.kind = number.substr(0, underscore);
    bool scale = true, center = true;
    if (declared >= 0) {
      const KerasLayer& config = config_[static_cast<size_t>(declared)];
      scale = config.scale, center = config.center;
      if (layer.layer.empty()) layer.layer = config.name;
    }
    if (layer.layer.empty()) {
      layer.layer = prefix + number;
      out_.metadata["keras.names"] = "numbered";
    }
    require(file_.links(*vars).size() <= max_variables, path(), ": layer ", in_quotes(layer.layer),
            " has over ", max_variables, " variables");
    // "10" comes behind "9".
    std::map<uint64_t, KerasVariable> variables;
    for (const auto& [name, variable] : file_.links(*vars)) {
      uint64_t i = 0;
      const auto end = name.data() + name.size();
      require(std::from_chars(name.data(), end, i).ptr == end, path(), ": a variable of ",
              in_quotes(layer.layer), " is called ", in_quotes(name), ", expected a number");
      variables[i] = {name, variable};
    }
    for (const auto& [i, variable] : variables) layer.variables.push_back(variable);
    name_variables(layer, scale, center, path());
    read_variables(file_, layer, out_.tensors);
  }

  Hdf5File& file_;
  Checkpoint& out_;
  std::vector<KerasLayer> config_;
  std::vector<std::vector<size_t>> inner_;  // the layers of each model in config_
  std::map<std::string, const KerasLayer*> by_name_;
  std::set<uint64_t> models_;  // that were read: links may lead back
};

// What reading may take: twice the file and 64 MB, less a reserve for what is not counted.
uint64_t memory_for(const MappedFile& file) { return 2 * file.bytes.size() + (uint64_t{48} << 20); }

Checkpoint read_hdf5(const MappedFile& file, uint64_t memory, std::string_view config) {
  Checkpoint out;
  Hdf5File hdf5(file.bytes, file.path, memory);
  Reader reader(hdf5, out);
  const auto add = [&](const char* key, const std::string& value) {
    if (!value.empty()) out.metadata[key] = value;
  };
  const uint64_t root = hdf5.root();
  const uint64_t weights = hdf5.find(root, "model_weights").value_or(root);
  add("keras.version", first_text(hdf5, weights, "keras_version"));
  const auto has_names = [&](uint64_t group) {
    return hdf5.text(group, "layer_names") || hdf5.text(group, "layer_names0");
  };
  if (has_names(weights)) {
    reader.use_config(first_text(hdf5, root, "model_config"));
    reader.read_legacy(weights);
  } else {
    require(hdf5.find(root, "layers").has_value(), file.path,
            ": this HDF5 file is not Keras': expected the attribute layer_names, or a group "
            "'layers'");
    reader.use_config(config);
    reader.read_numbered(root, config.empty() ? -1 : 0, "", 0);
  }
  return out;
}

Checkpoint read_archive(const MappedFile& file) {
  const ZipArchive archive(file);
  const ZipMember* weights = archive.find(keras_archived_weights);
  require(weights != nullptr, file.path, ": expected ", keras_archived_weights, " in this archive");
  const uint64_t memory = memory_for(file);
  uint64_t used = 0;
  const auto read = [&](const ZipMember& member) {
    MappedFile out = archive.read(member, memory - used);
    if (member.method != 0) used += member.size;
    return out;
  };
  const ZipMember* config = archive.find("config.json");
  const MappedFile json = config ? read(*config) : MappedFile{};
  const MappedFile hdf5 = read(*weights);
  return read_hdf5(hdf5, memory - used, text_of(json));
}

}  // namespace

Checkpoint read_keras(const MappedFile& file, const ReadOptions&) {
  Checkpoint out =
      is_zip(text_of(file)) ? read_archive(file) : read_hdf5(file, memory_for(file), {});
  out.file = file;
  return out;
}

}  // namespace limbic::weights
