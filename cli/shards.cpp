#include "limbic/cli/shards.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "limbic/core/error.h"
#include "limbic/core/json_numbers.h"
#include "limbic/core/random.h"
#include "limbic/core/version.h"
#include "limbic/hash/hash.h"
#include "limbic/weights/safetensors.h"

namespace limbic::cli {
namespace {

using nlohmann::json;

std::string dumped(const json& j) { return j.dump(-1, ' ', false, json::error_handler_t::replace); }

// A text of the metadata. Throws Error.
const std::string& text_of(const weights::SafetensorsFile& file, const char* key) {
  const auto found = file.metadata.find(key);
  require(found != file.metadata.end(), file.file.path,
          ": is no file of limbic extract --shard (no ", key, ")");
  return found->second;
}

FeatureRows read_shard(const std::string& path) {
  const weights::SafetensorsFile file = weights::read_safetensors(path);
  FeatureRows out{.checkpoint = text_of(file, "checkpoint_sha256"),
                  .model = text_of(file, "model"),
                  .layer = text_of(file, "layer"),
                  .preset = text_of(file, "preset")};
  out.run = text_of(file, "run");
  out.shard = text_of(file, "shard");
  const auto features = file.tensors.find("features"), labels = file.tensors.find("labels");
  require(features != file.tensors.end() && labels != file.tensors.end() &&
              features->second.dtype() == DType::f32 && features->second.rank() == 2 &&
              labels->second.dtype() == DType::i64 && labels->second.rank() == 1,
          path, ": holds no features and labels");
  out.values = features->second;
  const int64_t* first = labels->second.data<int64_t>();
  out.labels.assign(first, first + labels->second.size());
  try {
    out.paths = parse_json<json>(text_of(file, "paths"), path).get<std::vector<std::string>>();
    out.classes = parse_json<json>(text_of(file, "classes"), path).get<std::vector<std::string>>();
  } catch (const json::exception& e) {
    fail(path, ": its paths or classes are damaged (", reason_of(e), ")");
  }
  require(std::ssize(out.paths) == out.values.dim(0) && std::ssize(out.labels) == out.values.dim(0),
          path, ": ", out.values.dim(0), " rows, but ", out.paths.size(), " paths and ",
          out.labels.size(), " labels");
  return out;
}

// Each shard once, all of one run. The order of the files by shard.
void check_shards(const std::vector<std::string>& paths, const std::vector<FeatureRows>& shards) {
  std::vector<std::string> holder;
  for (size_t i = 0; i < shards.size(); ++i) {
    require(shards[i].run == shards[0].run && shards[i].values.dim(1) == shards[0].values.dim(1),
            paths[i], ": is of another run than ", paths[0],
            " (other photos, weights, layer, batch size or version)");
    const auto shard = parse_shard(shards[i].shard);
    require(shard.has_value(), paths[i], ": is no shard");
    holder.resize(static_cast<size_t>(std::max(std::ssize(holder), shard->count)));
    require(parse_shard(shards[0].shard)->count == shard->count, paths[i], ": is one of ",
            shard->count, " shards, ", paths[0], " one of ", parse_shard(shards[0].shard)->count);
    std::string& place = holder[static_cast<size_t>(shard->index)];
    require(place.empty(), paths[i], ": is shard ", shard->text(), ", and so is ", place);
    place = paths[i];
  }
  std::string missing;
  for (size_t i = 0; i < holder.size(); ++i)
    if (holder[i].empty())
      missing +=
          (missing.empty() ? "" : ", ") + Shard{static_cast<int64_t>(i), std::ssize(holder)}.text();
  require(missing.empty(), "missing: shard ", missing);
}

}  // namespace

std::string Shard::text() const { return str_cat(index == 0 ? count : index, "/", count); }

std::optional<Shard> parse_shard(const std::string& text) {
  if (text.empty()) return std::nullopt;
  const size_t slash = text.find('/');
  const auto is_number = [](const std::string& s) {
    return !s.empty() && s.size() < 10 && s.find_first_not_of("0123456789") == s.npos;
  };
  const std::string i = text.substr(0, slash), n = slash == text.npos ? "" : text.substr(slash + 1);
  require(is_number(i) && is_number(n) && std::stoll(n) > 0 && std::stoll(i) <= std::stoll(n),
          "--shard: expected I/N with I up to N, as 3/8, got '", text, "'");
  return Shard{std::stoll(i) % std::stoll(n), std::stoll(n)};
}

io::Dataset part_of(const io::Dataset& data, const Shard& shard) {
  io::Dataset out{data.classes, {}};
  for (const io::Sample& s : data.samples)
    if (hash_name(s.path.c_str()) % static_cast<uint64_t>(shard.count) ==
        static_cast<uint64_t>(shard.index))
      out.samples.push_back(s);
  return out;
}

std::string run_of(const FeatureRows& about, const io::Dataset& data, int64_t batch_size) {
  std::string list;
  for (const io::Sample& s : data.samples) list += str_cat(s.path, '\t', s.label, '\n');
  return sha256_of_text(dumped({about.checkpoint, about.model, about.layer, about.preset,
                                about.classes, batch_size, version(), sha256_of_text(list)}));
}

void write_rows(const std::string& path, const FeatureRows& rows) {
  std::map<std::string, std::string> metadata = {{"paths", dumped(rows.paths)},
                                                 {"classes", json(rows.classes).dump()},
                                                 {"checkpoint_sha256", rows.checkpoint},
                                                 {"model", rows.model},
                                                 {"layer", rows.layer},
                                                 {"preset", rows.preset},
                                                 {"run", rows.run}};
  if (!rows.shard.empty()) metadata["shard"] = rows.shard;
  weights::write_safetensors(
      path,
      {{"features", rows.values}, {"labels", Tensor::of(rows.labels, {std::ssize(rows.labels)})}},
      metadata);
}

FeatureRows merged(const std::vector<std::string>& paths) {
  std::vector<FeatureRows> shards;
  for (const std::string& path : paths) shards.push_back(read_shard(path));
  check_shards(paths, shards);
  struct Row {
    const FeatureRows* shard;
    size_t row;
    const std::string& path() const { return shard->paths[row]; }
  };
  std::vector<Row> order;
  for (const FeatureRows& s : shards)
    for (size_t i = 0; i < s.paths.size(); ++i) order.push_back({&s, i});
  std::stable_sort(order.begin(), order.end(),
                   [](const Row& a, const Row& b) { return a.path() < b.path(); });
  FeatureRows out{.classes = shards[0].classes,
                  .checkpoint = shards[0].checkpoint,
                  .model = shards[0].model,
                  .layer = shards[0].layer,
                  .preset = shards[0].preset,
                  .run = shards[0].run};
  const int64_t width = shards[0].values.dim(1);
  out.values = Tensor({std::ssize(order), width});
  for (size_t k = 0; k < order.size(); ++k) {
    const Row& row = order[k];
    std::copy_n(row.shard->values.data() + static_cast<int64_t>(row.row) * width, width,
                out.values.data() + static_cast<int64_t>(k) * width);
    out.labels.push_back(row.shard->labels[row.row]);
    out.paths.push_back(row.path());
  }
  return out;
}

}  // namespace limbic::cli
