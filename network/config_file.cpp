#include "limbic/network/config_file.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "limbic/core/file.h"
#include "limbic/core/json_numbers.h"

namespace limbic::network {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

json read_json(const fs::path& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return {};
  const auto bytes = read_file(path.string(), int64_t{16} << 20);
  const json out = try_parse_json<json>(bytes);
  return out.is_object() ? out : json();
}

bool three(const json& object, const char* key, std::array<double, 3>& out) {
  const auto list = object.find(key);
  if (list == object.end() || !list->is_array() || list->size() != 3) return false;
  for (size_t c = 0; c < 3; ++c) {
    if (!(*list)[c].is_number()) return false;
    out[c] = (*list)[c].get<double>();
  }
  return std::all_of(out.begin(), out.end(), [](double v) { return std::isfinite(v); });
}

double number(const json& object, const char* key, double otherwise) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<double>() : otherwise;
}

// timm: pictures of crop_pct times the short side, cut from the middle.
std::optional<io::Preset> of_timm(const json& config) {
  io::Preset preset{.name = "timm's config.json"};
  if (!three(config, "mean", preset.mean) || !three(config, "std", preset.std)) return {};
  const auto size = config.find("input_size");
  if (size != config.end() && size->is_array() && size->size() == 3 &&
      (*size)[1].is_number_integer())
    preset.crop = std::clamp<int64_t>((*size)[1].get<int64_t>(), 1, 4096);
  const double part = std::clamp(number(config, "crop_pct", 0.875), 0.1, 1.0);
  preset.short_side = static_cast<int64_t>(std::floor(static_cast<double>(preset.crop) / part));
  const json filter = config.value("interpolation", json("bilinear"));
  if (filter != "bilinear" && filter != "bicubic") return {};
  preset.filter = io::filter_from(filter.get<std::string>());
  return preset;
}

// transformers' ConvNextImageProcessor, which its ResNets have.
std::optional<io::Preset> of_transformers(const json& config) {
  io::Preset preset{.name = "preprocessor_config.json"};
  if (!three(config, "image_mean", preset.mean) || !three(config, "image_std", preset.std))
    return {};
  const json size = config.value("size", json());
  const double edge = size.is_number() ? size.get<double>() : number(size, "shortest_edge", 0);
  if (!(edge >= 1) || edge > 4096) return {};
  preset.crop = static_cast<int64_t>(edge);
  const double part = number(config, "crop_pct", 224.0 / 256);
  if (!(part > 0.1) || part > 1) return {};
  preset.short_side = static_cast<int64_t>(edge / part);
  const double resample = number(config, "resample", 3);
  if (resample != 2 && resample != 3) return {};
  preset.filter = resample == 2 ? io::Filter::bilinear : io::Filter::bicubic;
  return preset;
}

std::vector<std::string> labels_of(const json& config) {
  std::vector<std::string> out;
  if (const auto names = config.find("label_names"); names != config.end() && names->is_array())
    for (const json& name : *names) out.push_back(name.is_string() ? name.get<std::string>() : "");
  const auto numbered = config.find("id2label");
  if (!out.empty() || numbered == config.end() || !numbered->is_object()) return out;
  for (size_t i = 0; i < numbered->size(); ++i) {
    const auto name = numbered->find(std::to_string(i));
    if (name == numbered->end() || !name->is_string()) return {};
    out.push_back(*name);
  }
  return out;
}

}  // namespace

ConfigFile read_config_beside(const std::string& weights) {
  std::error_code error;
  const bool folder = fs::is_directory(weights, error);
  const std::string name = fs::path(weights).filename().string();
  if (!folder && name != "model.safetensors" && name != "pytorch_model.bin" &&
      !name.ends_with(".index.json"))
    return {};
  const fs::path dir = folder ? fs::path(weights) : fs::path(weights).parent_path();
  const json config = read_json(dir / "config.json");
  if (!config.is_object()) return {};
  ConfigFile out{(dir / "config.json").string(), {}, labels_of(config)};
  const json timm = config.value("pretrained_cfg", json());
  if (timm.is_object()) out.preset = of_timm(timm);
  const json processor = read_json(dir / "preprocessor_config.json");
  if (processor.is_object()) out.preset = of_transformers(processor);
  if (!out.labels.empty() && out.labels[0] == "LABEL_0") out.labels.clear();  // nobody named them
  return out;
}

}  // namespace limbic::network
