// Presets, what stands beside other people's weights, the metadata of a checkpoint.
#include <nlohmann/json.hpp>

#include "limbic/io/preset.h"
#include "limbic/network/config_file.h"
#include "limbic/network/network.h"
#include "limbic/weights/safetensors.h"
#include "tests/fuzz/target.h"

namespace limbic::fuzz {
namespace {

void read_preset(const Bytes& bytes) { io::to_json(io::preset_from_json(text_of(bytes))); }

// Each of the two files.
void read_config(const Bytes& bytes) {
  static const MemoryFolder folder;
  folder.write("config.json", bytes);
  folder.write("preprocessor_config.json", bytes);
  const auto config = network::read_config_beside(folder.path());
  if (config.preset) io::preset_from_json(io::to_json(*config.preset));
}

// A checkpoint of ResNet-8 with this metadata, an object of texts.
void read_metadata(const Bytes& bytes) {
  static const MemoryFolder folder;
  static const auto tensors = [] {
    std::map<std::string, Tensor> out;
    for (const auto& [name, p] : models::build_model("resnet8", 2).graph.initialise(0))
      out[name] = p.value;
    return out;
  }();
  const auto json = nlohmann::json::parse(bytes.begin(), bytes.end(), nullptr, false);
  if (!json.is_object()) return;
  std::map<std::string, std::string> metadata;
  for (const auto& [key, value] : json.items())
    if (value.is_string()) metadata[key] = value;
  const std::string path = folder / "x.safetensors";
  weights::write_safetensors(path, tensors, metadata);
  network::open_network({.weights = path, .share = true});
  network::open_network(
      {.model = "resnet8", .weights = path, .classes = 2, .class_names = {"calm", "storm"}});
}

std::vector<Bytes> presets() {
  return {bytes_of(io::to_json(io::find_preset("limbic"))),
          bytes_of(io::to_json(io::find_preset("keras-caffe")))};
}

std::vector<Bytes> configs() {
  return {bytes_of(R"({"label_names":["a","b"],"pretrained_cfg":{"mean":[0.5,0.5,0.5],"std":)"
                   R"([0.2,0.2,0.2],"input_size":[3,224,224],"crop_pct":0.9,"interpolation":)"
                   R"("bicubic"}})"),
          bytes_of(R"({"id2label":{"0":"a","1":"b"},"image_mean":[0.5,0.5,0.5],"image_std":)"
                   R"([1,1,1],"size":{"shortest_edge":224},"crop_pct":0.875,"resample":3})"),
          bytes_of(R"({"image_mean":[0.5,0.5,0.5],"image_std":[1,1,1],"size":224})"),
          bytes_of(R"({"pretrained_cfg":{"mean":[0,0,0],"std":[1,1,1],"interpolation":3}})")};
}

std::vector<Bytes> metadata() {
  const std::string preset = io::to_json(io::find_preset("cifar"));
  const std::string config =
      R"({"class_name":"Functional","config":{"layers":[{"class_name":"InputLayer","config":)"
      R"({"batch_shape":[null,32,32,3]}},{"class_name":"Rescaling","config":{"scale":0.5}},)"
      R"({"class_name":"Dense","config":{"activation":"sigmoid"}}]}})";
  return {bytes_of(nlohmann::json{{"limbic.model", "resnet8"},
                                  {"limbic.preset", preset},
                                  {"limbic.classes", R"(["storm","calm"])"}}
                       .dump()),
          bytes_of(nlohmann::json{{"limbic.model", "resnet8"}, {"keras.config", config}}.dump())};
}

}  // namespace

std::vector<Target> json_targets() {
  return {{"preset", read_preset, presets},
          {"config", read_config, configs},
          {"metadata", read_metadata, metadata}};
}

}  // namespace limbic::fuzz
