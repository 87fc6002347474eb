#include "limbic/emotion/feature_file.h"

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "limbic/core/file.h"
#include "limbic/core/json_numbers.h"
#include "limbic/hash/hash.h"
#include "limbic/io/decode.h"
#include "limbic/io/loader.h"
#include "limbic/weights/header.h"
#include "limbic/weights/load.h"
#include "limbic/weights/safetensors.h"

namespace limbic::emotion {
namespace {

// "photos/awe/1.jpg" -> "awe/1.jpg".
std::string end_of(const std::string& path) {
  const std::filesystem::path p = path;
  return (p.parent_path().filename() / p.filename()).string();
}

}  // namespace

FeatureFile::FeatureFile(const std::string& path) : path_(path) {
  const weights::SafetensorsFile file = weights::read_safetensors(path);
  const auto found = file.tensors.find("features");
  require(found != file.tensors.end() && found->second.rank() == 2, path,
          ": has no tensor 'features' of shape (pictures, values)");
  require(file.metadata.contains("paths"), path,
          ": its metadata names no 'paths', a JSON list with the path of each row's picture");
  features_ = weights::to_f32(found->second).clone();
  std::vector<std::string> paths;
  try {
    paths = parse_json<nlohmann::json>(file.metadata.at("paths"), path + ": paths")
                .get<std::vector<std::string>>();
  } catch (const nlohmann::json::exception&) {
    fail(path, ": 'paths' in its metadata is no JSON list of strings");
  }
  require(std::ssize(paths) == features_.dim(0), path, ": has ", features_.dim(0), " rows but ",
          paths.size(), " paths");
  require(width() > 0, path, ": its rows have no values");
  for (int64_t i = 0; i < std::ssize(paths); ++i) {
    const std::string& picture = paths[static_cast<size_t>(i)];
    require(by_path_.emplace(picture, i).second, path, ": the path '", picture, "' has two rows");
    const auto [end, is_new] = by_end_.emplace(end_of(picture), i);
    if (!is_new) end->second = -1;
    for (const float v : features_.rows(i, i + 1).values())
      require(std::isfinite(v), path, ": the row of '", picture, "' is not finite");
  }
  hash_ = sha256(file.file.bytes);
  file.file.require_intact();
}

std::span<const float> FeatureFile::find(const std::string& picture) const {
  auto found = by_path_.find(picture);
  if (found == by_path_.end()) {
    found = by_end_.find(end_of(picture));
    if (found == by_end_.end() || found->second < 0) return {};
  }
  return {features_.data() + found->second * width(), static_cast<size_t>(width())};
}

void FeatureFile::require_rows(const io::Dataset& data) const {
  int64_t missing = 0;
  std::string first;
  for (const io::Sample& sample : data.samples) {
    if (!find(sample.path).empty()) continue;
    // Whoever computed the features could not read it either.
    if (!io::reason_to_skip(sample.path, [&] { io::decode_file(sample.path); }).empty()) continue;
    if (missing++ == 0) first = sample.path;
  }
  require(missing == 0, path_, ": has no features of ", missing, " of the ", data.size(),
          " pictures", missing > 1 ? ", the first: " : ": ", first);
}

}  // namespace limbic::emotion
