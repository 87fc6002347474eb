#include "emotion/features.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "io/decode.h"
#include "nn/core/file.h"
#include "nn/core/parallel.h"
#include "nn/ops/softmax.h"
#include "train/predictor.h"
#include "weights/safetensors.h"

namespace limbic {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// The rows of one branch that were computed before, by the picture's hash.
class FeatureCache {
 public:
  FeatureCache(const std::string& folder, const Branch& branch, int64_t width) : width_(width) {
    if (folder.empty()) return;
    const std::string key = branch.hash + branch.model + branch.layer +
                            (branch.softmax ? "softmax" : "") + to_json(branch.preset);
    const std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(key.data()), key.size());
    path_ = folder + "/" + branch.role + "-" + sha256(bytes).substr(0, 16) + ".safetensors";
    if (!fs::exists(path_)) return;
    try {
      read();
    } catch (const std::exception&) {
      rows_.clear();  // a damaged cache is computed again and written over
      paths_.clear();
    }
  }

  const std::vector<float>* find(const std::string& hash) const {
    const auto found = rows_.find(hash);
    return found == rows_.end() ? nullptr : &found->second;
  }
  void add(const std::string& hash, const std::string& path, std::span<const float> row) {
    rows_[hash].assign(row.begin(), row.end());
    paths_[hash] = path;
    changed_ = true;
  }

  void save() {
    if (path_.empty() || !changed_ || rows_.empty()) return;
    std::vector<std::string> hashes;
    for (const auto& [hash, row] : rows_) hashes.push_back(hash);
    std::sort(hashes.begin(), hashes.end());
    const auto width = static_cast<int64_t>(rows_.at(hashes[0]).size());
    Tensor features({static_cast<int64_t>(hashes.size()), width});
    json paths = json::array();
    for (size_t i = 0; i < hashes.size(); ++i) {
      const auto& row = rows_.at(hashes[i]);
      std::copy(row.begin(), row.end(), features.data() + static_cast<int64_t>(i) * width);
      paths.push_back(paths_[hashes[i]]);
    }
    fs::create_directories(fs::path(path_).parent_path());
    write_safetensors(path_, {{"features", features}},
                      {{"pictures", json(hashes).dump()},
                       {"paths", paths.dump(-1, ' ', false, json::error_handler_t::replace)}});
    changed_ = false;
  }

 private:
  void read() {
    const SafetensorsFile file = read_safetensors(path_);
    const Tensor& features = file.tensors.at("features");
    const json hashes = json::parse(file.metadata.at("pictures"));
    const json paths = json::parse(file.metadata.at("paths"));
    require(features.rank() == 2 && static_cast<int64_t>(hashes.size()) == features.dim(0) &&
                features.dim(1) == width_,
            path_, ": damaged");
    const int64_t width = features.dim(1);
    for (size_t i = 0; i < hashes.size(); ++i) {
      const float* row = features.data() + static_cast<int64_t>(i) * width;
      rows_[hashes[i]].assign(row, row + width);
      paths_[hashes[i]] = paths.at(i);
    }
    file.file.require_intact();
  }

  std::string path_;
  int64_t width_;
  bool changed_ = false;
  std::unordered_map<std::string, std::vector<float>> rows_;
  std::unordered_map<std::string, std::string> paths_;
};

struct Runner {
  const Branch& branch;
  Predictor predictor;
  FeatureCache cache;
  std::vector<float> rows;
  int64_t width = 0;

  Runner(const Branch& b, const ExtractOptions& options, int64_t batch)
      : branch(b),
        predictor(build_model(b.model, b.classes), b.parameters, input_shape(batch, b.preset),
                  b.layer),
        cache(options.cache, b, row_width(b)) {}

  // Values that the branch gives for one picture.
  static int64_t row_width(const Branch& b) {
    const Graph graph = build_model(b.model, b.classes).graph;
    return count(graph.infer(input_shape(1, b.preset))[static_cast<size_t>(graph.find(b.layer))]);
  }
};

struct Item {
  int64_t index = 0;
  std::string hash, error;
  std::array<Picture, 2> pictures;  // without and with EXIF applied; empty where nobody needs it
};

class Extractor {
 public:
  Extractor(const std::vector<Branch>& branches, const Dataset& data, const ExtractOptions& options,
            const ProgressFunction& progress)
      : data_(data),
        options_(options),
        progress_(progress),
        batch_(std::max<int64_t>(1, std::min(options.batch_size, data.size()))) {
    require(!branches.empty(), "all three CNNs are 'none': there is nothing to see with");
    for (const Branch& b : branches)
      runners_.push_back(std::make_unique<Runner>(b, options, batch_));
  }

  BranchFeatures run() {
    for (int64_t begin = 0; begin < data_.size(); begin += batch_) {
      run_batch(begin, std::min(data_.size(), begin + batch_));
      if (begin / batch_ % 64 == 63)
        for (auto& r : runners_) r->cache.save();
    }
    const auto n = static_cast<int64_t>(out_.labels.size());
    for (auto& r : runners_) {
      r->cache.save();
      out_.blocks.push_back(Tensor::of(r->rows, {n, r->width}));
    }
    return std::move(out_);
  }

 private:
  void run_batch(int64_t begin, int64_t end) {
    std::vector<Item> items(static_cast<size_t>(end - begin));
    parallel_for_dynamic(end - begin, [&](int64_t i) {
      Item& item = items[static_cast<size_t>(i)];
      item.index = begin + i;
      load(item);
    });
    std::vector<Item*> good;
    for (Item& item : items) {
      const Sample& sample = data_.samples[static_cast<size_t>(item.index)];
      if (!item.error.empty()) {
        out_.skipped.push_back({sample.path, item.error});
        continue;
      }
      good.push_back(&item);
      out_.labels.push_back(sample.label);
      out_.indices.push_back(item.index);
    }
    for (auto& r : runners_) compute(*r, good);
    if (progress_) progress_({.task = options_.task, .done = end, .total = data_.size()});
  }

  void load(Item& item) const {
    const std::string& path = data_.samples[static_cast<size_t>(item.index)].path;
    try {
      const auto bytes = read_file(path, int64_t{1} << 30);
      item.hash = sha256(bytes);
      for (const auto& r : runners_) {
        const Preset& preset = r->branch.preset;
        Picture& picture = item.pictures[preset.apply_exif];
        if (picture.pixels.empty() && !r->cache.find(item.hash))
          picture = decode(bytes, path, preset.decode_options());
      }
    } catch (const Error& e) {
      item.error = reason_without_path(e.what(), path);
    }
  }

  void compute(Runner& r, const std::vector<Item*>& items) {
    std::vector<const Item*> missing;
    for (const Item* item : items)
      if (!r.cache.find(item->hash)) missing.push_back(item);
    if (!missing.empty()) {
      const auto n = static_cast<int64_t>(missing.size());
      Tensor images(input_shape(n, r.branch.preset));
      parallel_for_dynamic(n, [&](int64_t i) {
        const Preset& preset = r.branch.preset;
        preprocess(missing[static_cast<size_t>(i)]->pictures[preset.apply_exif], preset,
                   images.data() + i * (images.size() / n));
      });
      const Tensor rows = r.predictor.run(images);
      if (r.branch.softmax) softmax_rows(rows.values(), rows.dim(1), rows.values());
      for (int64_t i = 0; i < n; ++i) {
        const Item& item = *missing[static_cast<size_t>(i)];
        r.cache.add(item.hash, data_.samples[static_cast<size_t>(item.index)].path,
                    rows.rows(i, i + 1).values());
      }
    }
    for (const Item* item : items) {
      const auto& row = *r.cache.find(item->hash);
      r.rows.insert(r.rows.end(), row.begin(), row.end());
      r.width = static_cast<int64_t>(row.size());
    }
  }

  const Dataset& data_;
  const ExtractOptions& options_;
  const ProgressFunction& progress_;
  int64_t batch_;
  std::vector<std::unique_ptr<Runner>> runners_;
  BranchFeatures out_;
};

}  // namespace

BranchFeatures extract_features(const std::vector<Branch>& branches, const Dataset& data,
                                const ExtractOptions& options, const ProgressFunction& progress) {
  return Extractor(branches, data, options, progress).run();
}

}  // namespace limbic
