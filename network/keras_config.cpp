#include "limbic/network/keras_config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>

#include "limbic/core/json_numbers.h"

namespace limbic::network {
namespace {

using nlohmann::json;

// Layers that the networks compute, or that do nothing when a network is used.
const std::set<std::string> known = {"InputLayer",
                                     "Conv2D",
                                     "DepthwiseConv2D",
                                     "SeparableConv2D",
                                     "BatchNormalization",
                                     "Activation",
                                     "ReLU",
                                     "Add",
                                     "Concatenate",
                                     "Dense",
                                     "Flatten",
                                     "Reshape",
                                     "Dropout",
                                     "SpatialDropout2D",
                                     "GlobalAveragePooling2D",
                                     "AveragePooling2D",
                                     "MaxPooling2D",
                                     "ZeroPadding2D",
                                     "Functional",
                                     "Model",
                                     "Sequential",
                                     "Rescaling",
                                     "Normalization",
                                     "Softmax",
                                     "RandomFlip",
                                     "RandomRotation",
                                     "RandomZoom",
                                     "RandomTranslation",
                                     "RandomContrast",
                                     "RandomBrightness",
                                     "RandomCrop",
                                     "GaussianNoise",
                                     "GaussianDropout",
                                     "ActivityRegularization"};

std::vector<double> numbers_of(const json& value) {
  std::vector<double> out;
  const std::function<void(const json&)> add = [&](const json& v) {
    if (v.is_number()) out.push_back(v.get<double>());
    if (v.is_array() && out.size() < 16)
      for (const json& inner : v) add(inner);
  };
  add(value);
  return out;
}

std::string text_of(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

class Reader {
 public:
  void read(const json& layer) {
    if (!layer.is_object() || !layer.contains("class_name")) return;
    const std::string kind = text_of(layer, "class_name");
    const json config = layer.value("config", json::object());
    if (config.is_array()) return read_all(config);  // Sequential before 2.3
    if (!config.is_object()) return;
    read_layer(kind, config);
    if (const auto layers = config.find("layers"); layers != config.end()) read_all(*layers);
  }

  KerasConfig out;

 private:
  void read_all(const json& layers) {
    if (!layers.is_array()) return;
    for (const json& layer : layers) read(layer);
  }

  void refuse(const std::string& what) {
    if (std::find(out.not_followed.begin(), out.not_followed.end(), what) == out.not_followed.end())
      out.not_followed.push_back(what);
  }

  void read_layer(const std::string& kind, const json& config) {
    if (kind.find("GlobalMaxPool") != kind.npos)
      refuse("global maximum pooling");
    else if (!known.contains(kind))
      refuse("a layer " + kind);
    if (text_of(config, "data_format") == "channels_first") refuse("channels before pixels");
    read_input(config);
    out.max_poolings += kind == "MaxPooling2D";
    if (const auto s = config.find("strides"); kind.ends_with("Conv2D") && s != config.end())
      if (const auto both = numbers_of(*s);
          both.size() == 2 && both[0] == both[1] && both[0] >= 0 && both[0] < 1e6)
        out.strides[text_of(config, "name")] = static_cast<int64_t>(both[0]);
    if (kind == "Rescaling")
      out.rescaling.push_back({numbers_of(config.value("scale", json(1.0))),
                               numbers_of(config.value("offset", json(0.0)))});
    if (kind == "Normalization") read_normalization(config);
    if (kind == "Dense" || kind == "Activation")
      out.activation =
          text_of(config, "activation").empty() ? "linear" : text_of(config, "activation");
    if (kind == "Softmax") out.activation = "softmax";
  }

  void read_input(const json& config) {
    for (const char* key : {"batch_shape", "batch_input_shape"}) {
      const auto shape = config.find(key);
      if (shape == config.end() || !shape->is_array() || shape->size() != 4 || out.height) continue;
      if ((*shape)[1].is_number_integer() && (*shape)[2].is_number_integer()) {
        out.height = (*shape)[1].get<int64_t>();
        out.width = (*shape)[2].get<int64_t>();
      }
    }
  }

  void read_normalization(const json& config) {
    const std::vector<double> mean = numbers_of(config.value("mean", json())),
                              variance = numbers_of(config.value("variance", json()));
    if (mean.empty() || mean.size() != variance.size())
      return refuse("a layer Normalization whose mean and variance are weights");
    KerasConfig::Rescaling r;
    for (size_t c = 0; c < mean.size(); ++c) {
      const double deviation = std::max(std::sqrt(variance[c]), 1e-7);
      r.scale.push_back(1 / deviation);
      r.offset.push_back(-mean[c] / deviation);
    }
    out.rescaling.push_back(r);
  }
};

}  // namespace

KerasConfig read_keras_config(const std::string& text) {
  Reader reader;
  reader.read(try_parse_json<json>(text));
  return std::move(reader.out);
}

io::Preset with_rescaling(io::Preset preset, const KerasConfig& config, bool chosen_by_user) {
  if (config.rescaling.empty()) return preset;
  if (!chosen_by_user) {  // pixels as they are
    preset.scale = 1;
    preset.mean = {};
    preset.std = {1, 1, 1};
    preset.bgr = false;
  }
  // v * scale - mean, divided by std, is v * a + b for each channel.
  std::array<double, 3> a{}, b{};
  for (size_t c = 0; c < 3; ++c) {
    a[c] = preset.scale / preset.std[c];
    b[c] = -preset.mean[c] / preset.std[c];
  }
  for (const KerasConfig::Rescaling& r : config.rescaling)
    for (size_t c = 0; c < 3; ++c) {
      const auto of = [&](const std::vector<double>& numbers) {
        require(numbers.size() == 1 || numbers.size() == 3, "the model rescales ", numbers.size(),
                " channels, pictures have 3");
        return numbers.size() == 1 ? numbers[0] : numbers[c];
      };
      a[c] = a[c] * of(r.scale);
      b[c] = b[c] * of(r.scale) + of(r.offset);
    }
  preset.scale = 1;
  for (size_t c = 0; c < 3; ++c) {
    require(a[c] != 0, "the model's own rescaling makes all pixels equal");
    preset.std[c] = 1 / a[c];
    preset.mean[c] = -b[c] / a[c];
  }
  preset.name += "+rescaling";
  return preset;
}

}  // namespace limbic::network
