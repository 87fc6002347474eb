#include "limbic/emotion/features.h"
#include "limbic/hash/hash.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <numeric>
#include <unordered_map>

#include "limbic/core/file.h"
#include "limbic/core/json_numbers.h"
#include "limbic/core/parallel.h"
#include "limbic/emotion/hashed_name.h"
#include "limbic/io/decode.h"
#include "limbic/network/predictor.h"
#include "limbic/nn/ops/softmax.h"
#include "limbic/weights/safetensors.h"

namespace limbic::emotion {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// The rows of one branch that were computed before, by the picture's hash, in a folder of its own:
// each save adds a file of the rows that are new, so that a run's writes grow with its pictures,
// and a run that is killed loses at most what it had not saved.
class FeatureCache {
 public:
  FeatureCache(const std::string& folder, const Branch& branch, int64_t width)
      : folder_(folder), width_(width) {
    if (folder.empty()) return;
    name_ =
        branch.role + "-" +
        sha256_of_text(json({branch.hash, branch.network.model.name, branch.layer, branch.softmax,
                             json::parse(io::to_json(branch.network.preset)), "f32"})
                           .dump())
            .substr(0, 16);
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(path(), none)) read_or_remove(entry.path());
  }

  const std::string& name() const { return name_; }
  const std::vector<float>* find(const std::string& hash) const {
    const auto found = rows_.find(hash);
    return found == rows_.end() ? nullptr : &found->second;
  }
  void add(const std::string& hash, const std::string& picture, std::span<const float> row) {
    rows_[hash].assign(row.begin(), row.end());
    fresh_.emplace_back(hash, picture);
  }

  // Writes the rows that are new. A cache saves time and decides nothing: where it cannot be
  // written, `notes` says so, once.
  void save(std::vector<std::string>& notes) {
    if (folder_.empty() || fresh_.empty() || !writable_) return;
    try {
      write();
      fresh_.clear();
    } catch (const std::exception& e) {
      writable_ = false;
      notes.push_back(str_cat("features are not kept for another run: ", e.what()));
    }
  }

 private:
  std::string path() const { return folder_ + "/" + name_; }

  static std::string sum_of(const Tensor& features, const std::string& pictures) {
    return sha256_of_text(sha256({static_cast<const uint8_t*>(features.raw()),
                                  static_cast<size_t>(features.bytes())}) +
                          pictures);
  }

  void write() {
    const auto n = std::ssize(fresh_);
    Tensor features({n, width_});
    json hashes = json::array(), paths = json::array();
    for (int64_t i = 0; i < n; ++i) {
      const auto& [hash, picture] = fresh_[static_cast<size_t>(i)];
      std::copy_n(rows_.at(hash).data(), width_, features.data() + i * width_);
      hashes.push_back(hash);
      paths.push_back(picture);
    }
    const std::string pictures = hashes.dump();
    fs::create_directories(path());
    // Named by content: no two runs write different rows to one file.
    const std::string sum = sum_of(features, pictures);
    weights::write_safetensors(
        path() + "/" + sum.substr(0, 16) + ".safetensors", {{"features", features}},
        {{"pictures", pictures},
         {"paths", paths.dump(-1, ' ', false, json::error_handler_t::replace)},
         {"sha256", sum}});
  }

  // A damaged file is not believed; its rows are computed again.
  void read_or_remove(const std::string& file) {
    try {
      read(file);
    } catch (const Error&) {
      remove(file);
    } catch (const json::exception&) {
      remove(file);
    }
  }
  static void remove(const std::string& file) {
    std::error_code ignored;
    fs::remove(file, ignored);
  }

  void read(const std::string& path) {
    const weights::SafetensorsFile file = weights::read_safetensors(path);
    const auto found = file.tensors.find("features");
    require(found != file.tensors.end() && file.metadata.contains("pictures") &&
                file.metadata.contains("sha256"),
            path, ": no feature cache");
    const Tensor features = found->second.clone();
    file.file.require_intact();
    const std::string& pictures = file.metadata.at("pictures");
    const auto hashes = parse_json<json>(pictures, path).get<std::vector<std::string>>();
    require(features.dtype() == DType::f32 && features.rank() == 2 &&
                std::ssize(hashes) == features.dim(0) && features.dim(1) == width_ &&
                file.metadata.at("sha256") == sum_of(features, pictures),
            path, ": damaged");
    for (size_t i = 0; i < hashes.size(); ++i) {
      const float* row = features.data() + static_cast<int64_t>(i) * width_;
      rows_[hashes[i]].assign(row, row + width_);
    }
  }

  std::string folder_, name_;
  int64_t width_;
  bool writable_ = true;
  std::unordered_map<std::string, std::vector<float>> rows_;
  std::vector<std::pair<std::string, std::string>> fresh_;  // hash and path, not saved yet
};

struct Runner {
  const Branch& branch;
  int64_t width;
  std::optional<network::Predictor> predictor;  // none of others' features
  FeatureCache cache;
  std::vector<float> rows;
  int64_t computed = 0;

  Runner(const Branch& b, const ExtractOptions& options, int64_t batch)
      : branch(b), width(row_width(b)), cache(b.external ? "" : options.cache, b, width) {
    if (!b.external)
      predictor.emplace(b.network.model, b.network.parameters,
                        network::input_shape(batch, b.network.preset), b.layer);
  }

  // Values that the branch gives for one picture.
  static int64_t row_width(const Branch& b) {
    b.require_features();
    if (b.external) return b.features->width();
    const Graph& graph = b.network.model.graph;
    return count(graph.infer(
        network::input_shape(1, b.network.preset))[static_cast<size_t>(graph.find(b.layer))]);
  }
};

struct Item {
  int64_t index = 0;
  std::string hash, error;
  std::array<io::Picture, 2>
      pictures;  // without and with EXIF applied; empty where nobody needs it
};

class Extractor {
 public:
  Extractor(const std::vector<Branch>& branches, const io::Dataset& data,
            const ExtractOptions& options, const ProgressFunction& progress)
      : data_(data),
        options_(options),
        progress_(progress),
        batch_(std::clamp<int64_t>(data.size(), 1, std::max<int64_t>(options.batch_size, 1))) {
    require(!branches.empty(), "all three CNNs are 'none': there is nothing to see with");
    require(options.batch_size >= 1, "features: expected a batch size from 1, got ",
            options.batch_size);
    for (const Branch& b : branches) {
      runners_.push_back(std::make_unique<Runner>(b, options, batch_));
      if (b.external) b.features->require_rows(data);
    }
  }

  BranchFeatures run() {
    for (int64_t begin = 0; begin < data_.size(); begin += batch_) {
      run_batch(begin, std::min(data_.size(), begin + batch_));
      if (begin / batch_ % 64 == 63)
        for (auto& r : runners_) r->cache.save(out_.notes);
    }
    const auto n = static_cast<int64_t>(out_.labels.size());
    for (auto& r : runners_) {
      r->cache.save(out_.notes);
      out_.blocks.push_back(Tensor::of(r->rows, {n, r->width}));
      out_.computed.push_back(r->computed);
    }
    remove_superseded();
    return std::move(out_);
  }

 private:
  static bool is_cache(std::string_view name) {
    const auto rest = after_hash(name, {"diff1", "diff2", "supplement"});
    return rest && (rest->empty() || *rest == ".safetensors");
  }

  // Caches of other weights, presets or layers than those in use.
  void remove_superseded() const {
    if (options_.cache.empty()) return;
    std::error_code ignored;
    std::vector<fs::path> old;
    for (const auto& entry : fs::directory_iterator(options_.cache, ignored))
      if (const std::string name = entry.path().filename();
          is_cache(name) && std::none_of(runners_.begin(), runners_.end(),
                                         [&](const auto& r) { return r->cache.name() == name; }))
        old.push_back(entry.path());
    for (const fs::path& path : old) fs::remove_all(path, ignored);
  }

  void run_batch(int64_t begin, int64_t end) {
    std::vector<Item> items(static_cast<size_t>(end - begin));
    parallel_for_dynamic(end - begin, [&](int64_t i) {
      Item& item = items[static_cast<size_t>(i)];
      item.index = begin + i;
      load(item);
    });
    std::vector<Item*> good;
    for (Item& item : items) {
      const io::Sample& sample = data_.samples[static_cast<size_t>(item.index)];
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
    item.error = io::reason_to_skip(path, [&] {
      const auto bytes = read_file(path, io::most_picture_bytes);
      item.hash = sha256(bytes);
      for (const auto& r : runners_) {
        if (r->branch.external) {
          if (r->branch.features->find(path).empty()) io::decode(bytes, path);  // says why
          continue;
        }
        const io::Preset& preset = r->branch.network.preset;
        io::Picture& picture = item.pictures[preset.apply_exif];
        if (picture.pixels.empty() && !r->cache.find(item.hash))
          picture = io::decode(bytes, path, preset.decode_options());
      }
    });
  }

  void compute(Runner& r, const std::vector<Item*>& items) {
    if (r.branch.external) {
      for (const Item* item : items) {
        const auto row =
            r.branch.features->find(data_.samples[static_cast<size_t>(item->index)].path);
        r.rows.insert(r.rows.end(), row.begin(), row.end());
      }
      return;
    }
    std::vector<const Item*> missing;
    for (const Item* item : items)
      if (!r.cache.find(item->hash)) missing.push_back(item);
    if (!missing.empty()) {
      const auto n = static_cast<int64_t>(missing.size());
      r.computed += n;
      Tensor images(network::input_shape(n, r.branch.network.preset));
      parallel_for_dynamic(n, [&](int64_t i) {
        const io::Preset& preset = r.branch.network.preset;
        io::preprocess(missing[static_cast<size_t>(i)]->pictures[preset.apply_exif], preset,
                       images.data() + i * (images.size() / n));
      });
      const Tensor rows = r.predictor->run(images);
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
    }
  }

  const io::Dataset& data_;
  const ExtractOptions& options_;
  const ProgressFunction& progress_;
  int64_t batch_;
  std::vector<std::unique_ptr<Runner>> runners_;
  BranchFeatures out_;
};

// What a rank found out, as bytes for the others: JSON of a line, then the blocks' rows.
std::string packed(const BranchFeatures& f) {
  json j = {
      {"labels", f.labels}, {"indices", f.indices}, {"computed", f.computed}, {"notes", f.notes}};
  for (const Tensor& block : f.blocks) j["widths"].push_back(block.dim(1));
  for (const io::SkippedSample& s : f.skipped) j["skipped"].push_back({s.path, s.reason});
  std::string out = j.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  for (const Tensor& block : f.blocks)
    out.append(reinterpret_cast<const char*>(block.raw()), static_cast<size_t>(block.bytes()));
  return out;
}

// Rows of a part of the data set, of which sample i is number `first` + i * `step`.
void append(BranchFeatures& all, std::vector<std::vector<float>>& rows, const std::string& text,
            int64_t first, int64_t step) {
  const size_t end = text.find('\n');
  const json j = parse_json<json>(text.substr(0, end), "another rank's features");
  const auto labels = j["labels"].get<std::vector<int64_t>>();
  const char* at = text.data() + end + 1;
  if (!labels.empty()) rows.resize(j["widths"].size());
  for (size_t b = 0; b < rows.size() && !labels.empty(); ++b) {
    const size_t n = labels.size() * j["widths"][b].get<size_t>(), before = rows[b].size();
    rows[b].resize(before + n);
    std::memcpy(rows[b].data() + before, at, n * sizeof(float));
    at += n * sizeof(float);
  }
  all.labels.insert(all.labels.end(), labels.begin(), labels.end());
  for (const int64_t i : j["indices"].get<std::vector<int64_t>>())
    all.indices.push_back(first + i * step);
  for (const json& s : j.value("skipped", json::array())) all.skipped.push_back({s[0], s[1]});
  for (const json& note : j["notes"]) all.notes.push_back(note);
  const auto computed = j["computed"].get<std::vector<int64_t>>();
  all.computed.resize(std::max(all.computed.size(), computed.size()));
  for (size_t b = 0; b < computed.size(); ++b) all.computed[b] += computed[b];
}

// Each rank computes every size-th picture; all end with all rows, in the order of the data set.
BranchFeatures extract_together(const std::vector<Branch>& branches, const io::Dataset& data,
                                const ExtractOptions& options, const ProgressFunction& progress) {
  train::Communicator& together = *options.communicator;
  io::Dataset own{data.classes, {}};
  for (int64_t i = together.rank(); i < data.size(); i += together.size())
    own.samples.push_back(data.samples[static_cast<size_t>(i)]);
  BranchFeatures part;
  if (own.size() > 0) part = Extractor(branches, own, options, progress).run();
  const std::vector<std::string> parts = together.gather(packed(part));
  BranchFeatures joined;
  std::vector<std::vector<float>> rows;
  for (size_t r = 0; r < parts.size(); ++r)
    append(joined, rows, parts[r], static_cast<int64_t>(r), together.size());
  std::vector<size_t> order(joined.indices.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return joined.indices[a] < joined.indices[b]; });
  BranchFeatures out{{}, {}, {}, joined.skipped, joined.computed, joined.notes};
  for (const size_t i : order) {
    out.labels.push_back(joined.labels[i]);
    out.indices.push_back(joined.indices[i]);
  }
  for (const std::vector<float>& block : rows) {
    const auto n = std::ssize(order), width = n > 0 ? std::ssize(block) / n : 0;
    Tensor sorted({n, width});
    for (int64_t i = 0; i < n; ++i)
      std::copy_n(&block[order[static_cast<size_t>(i)] * static_cast<size_t>(width)], width,
                  sorted.data() + i * width);
    out.blocks.push_back(std::move(sorted));
  }
  return out;
}

}  // namespace

void Branch::require_features() const {
  require(!external || features, "the model was fitted with features of its own kind ('", role,
          "') that this program cannot compute; give --block ", role, "=FILE.safetensors");
}

BranchFeatures extract_features(const std::vector<Branch>& branches, const io::Dataset& data,
                                const ExtractOptions& options, const ProgressFunction& progress) {
  if (options.communicator && options.communicator->size() > 1)
    return extract_together(branches, data, options, progress);
  return Extractor(branches, data, options, progress).run();
}

}  // namespace limbic::emotion
