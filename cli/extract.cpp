#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>

#include "limbic/cli/data_options.h"
#include "limbic/cli/network.h"
#include "limbic/cli/output.h"
#include "limbic/cli/shards.h"
#include "limbic/cli/verbs.h"
#include "limbic/core/file.h"
#include "limbic/hash/hash.h"
#include "limbic/network/predictor.h"
#include "limbic/train/row_file.h"

namespace limbic::cli {
namespace {

struct Options {
  NetworkOptions network;
  DataOptions data;
  std::string layer = "features", out, shard, tune = "off";
  int64_t batch_size = 16;
};

// Rows of features in the order of the samples, computed always in batches of one size, so that no
// row depends on its neighbours. With a file beside --out they outlive the process.
class Rows {
 public:
  Rows(const network::Network& network, const io::Dataset& data, const Options& o)
      : network_(network), data_(data), batch_(o.batch_size) {
    const models::Model& model = network.model;
    const Shape shape = network::input_shape(1, network.preset);
    width_ = count(model.graph.infer(shape)[static_cast<size_t>(model.graph.find(o.layer))]);
    layer_ = o.layer;
  }

  // Keeps rows in this file, and goes on behind those that it has.
  void keep_in(const std::string& path) {
    if (data_.size() == 0) return;
    path_ = path;
    file_.emplace(path, data_.size(), width_, DType::f32);
    values_.resize(static_cast<size_t>(file_->done() * width_));
    for (int64_t i = 0; i < file_->done(); ++i) {
      file_->read(i, &values_[static_cast<size_t>(i * width_)]);
      if (std::isnan(values_[static_cast<size_t>(i * width_)])) skip_again(i);
    }
  }

  void compute(const ProgressFunction& progress) {
    if (done() == data_.size()) return;
    io::Loader loader(data_, network_.preset, std::nullopt,
                      {.batch_size = batch_, .cache_bytes = 0});
    network::Predictor predictor(network_.model, network_.parameters,
                                 network::input_shape(batch_, network_.preset), layer_);
    std::vector<int64_t> order;
    const int64_t first = done();
    for (int64_t i = first; i < data_.size(); ++i) order.push_back(i);
    loader.start_epoch(0, std::move(order));
    Tensor whole(network::input_shape(batch_, network_.preset));
    for (io::Batch batch; loader.next(batch);) {
      std::copy_n(batch.images.data(), batch.images.size(), whole.data());
      append(batch.indices, predictor.run(whole), first + loader.position());
      if (progress) progress({.task = "extracting", .done = done(), .total = data_.size()});
    }
    append({}, {}, data_.size());  // broken pictures at the end
    for (const io::SkippedSample& s : loader.skipped()) skipped_.push_back(s);
  }

  // Of the pictures that could be read: (N,D), and which samples they are.
  Tensor take(std::vector<int64_t>& indices) const {
    for (int64_t i = 0; i < data_.size(); ++i)
      if (!std::isnan(values_[static_cast<size_t>(i * width_)])) indices.push_back(i);
    Tensor out({std::ssize(indices), width_});
    for (size_t k = 0; k < indices.size(); ++k)
      std::copy_n(&values_[static_cast<size_t>(indices[k] * width_)], width_,
                  out.data() + static_cast<int64_t>(k) * width_);
    return out;
  }

  const std::vector<io::SkippedSample>& skipped() const { return skipped_; }
  void remove_file() {
    if (!file_) return;
    file_.reset();
    std::error_code none;
    std::filesystem::remove(path_, none);
    std::filesystem::remove(path_ + ".done", none);
  }

 private:
  int64_t done() const { return std::ssize(values_) / width_; }

  // The rows of these samples, NaN for those before `end` that were skipped.
  void append(const std::vector<int64_t>& indices, const Tensor& rows, int64_t end) {
    const int64_t begin = done();
    if (begin == end) return;
    Tensor block({end - begin, width_});
    std::fill_n(block.data(), block.size(), std::numeric_limits<float>::quiet_NaN());
    for (size_t k = 0; k < indices.size(); ++k)
      std::copy_n(rows.data() + static_cast<int64_t>(k) * width_, width_,
                  block.data() + (indices[k] - begin) * width_);
    if (file_) file_->append(block);
    values_.insert(values_.end(), block.data(), block.data() + block.size());
  }

  void skip_again(int64_t i) {
    const std::string& path = data_.samples[static_cast<size_t>(i)].path;
    const std::string reason =
        io::reason_to_skip(path, [&] { io::decode_file(path, network_.preset.decode_options()); });
    skipped_.push_back({path, reason.empty() ? "could not be read at first" : reason});
  }

  const network::Network& network_;
  const io::Dataset& data_;
  int64_t batch_, width_ = 0;
  std::string layer_, path_;
  std::optional<train::RowFile> file_;
  std::vector<float> values_;
  std::vector<io::SkippedSample> skipped_;
};

int run(const Common& common, Options& o) {
  require_writable(o.out);
  const std::optional<Shard> shard = parse_shard(o.shard);
  network::Network network = load_network(common, o.network);
  network.model.graph.find(o.layer);  // a wrong name is said before the work, not after
  io::Dataset data = o.data.list(common);
  std::stable_sort(data.samples.begin(), data.samples.end(),
                   [](const io::Sample& a, const io::Sample& b) { return a.path < b.path; });
  FeatureRows out{.classes = data.classes,
                  .checkpoint = sha256(network.file.bytes),
                  .model = network.model.name,
                  .layer = o.layer,
                  .preset = io::to_json(network.preset)};
  out.run = run_of(out, data, o.batch_size);
  if (shard) data = part_of(data, *shard);
  Rows rows(network, data, o);
  if (shard) rows.keep_in(o.out + "." + out.run.substr(0, 8) + ".part");
  rows.compute(progress_bar(common));
  network.file.require_intact();
  std::vector<int64_t> indices;
  out.values = rows.take(indices);
  require(shard || !indices.empty(), "none of the ", data.size(),
          " pictures can be used; the first: ",
          rows.skipped().empty() ? "" : rows.skipped()[0].path + ": " + rows.skipped()[0].reason);
  for (const int64_t i : indices) {
    out.labels.push_back(data.samples[static_cast<size_t>(i)].label);
    out.paths.push_back(data.samples[static_cast<size_t>(i)].path);
  }
  out.shard = shard ? shard->text() : "";
  write_rows(o.out, out);
  if (shard) rows.remove_file();
  note(common, str_cat("wrote ", to_string(out.values.shape()), " features to ", o.out,
                       shard ? ", shard " + out.shard : ""));
  return report_skipped(rows.skipped(), data);
}

struct MergeOptions {
  std::string out;
  std::vector<std::string> shards;
};

int merge(const Common& common, MergeOptions& o) {
  require_writable(o.out);
  const FeatureRows all = merged(o.shards);
  write_rows(o.out, all);
  note(common, str_cat("wrote ", to_string(all.values.shape()), " features of ", o.shards.size(),
                       " shards to ", o.out));
  return done;
}

}  // namespace

void add_extract(const Verb& app, const Common& common, Action& action) {
  auto o = std::make_shared<Options>();
  const Verb verb = add_verb(
      app, action, "extract", "Features of labelled photos, as one .safetensors file.",
      "limbic extract --model squeezenet1_1 --weights squeezenet1_1.safetensors --data photos "
      "--out features.safetensors",
      o, run, common);
  o->network.add_to(verb, true);
  o->data.add_to(verb);
  verb.add_option("--layer", o->layer, "features, logits, a stage or any layer's name");
  verb.add_option("--out", o->out, "file to write").required();
  verb.add_option("--batch-size", o->batch_size, "pictures computed at once").check(range(1, 4096));
  verb.add_option("--shard", o->shard,
                  "I/N: only the photos of part I of N, for `limbic merge`; run again, it goes on");
  verb.add_option("--tune", o->tune, "off: extraction always takes the fixed choice of algorithms")
      .check(one_of({"off"}));
}

void add_merge(const Verb& app, const Common& common, Action& action) {
  auto o = std::make_shared<MergeOptions>();
  const Verb verb = add_verb(
      app, action, "merge", "The shards of extract --shard I/N in one file, as one run leaves it.",
      "limbic merge features.safetensors part-*.safetensors", o, merge, common);
  verb.add_option("out", o->out, "file to write").required();
  verb.add_option("shards", o->shards, "files of extract --shard").required();
}

}  // namespace limbic::cli
