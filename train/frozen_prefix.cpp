#include "limbic/train/frozen_prefix.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "limbic/core/parallel.h"
#include "limbic/hash/hash.h"
#include "limbic/train/checkpoint.h"

namespace limbic::train {
namespace {

bool is_fixed(const Node& node, const std::vector<std::string>& frozen) {
  if (node.op && std::string_view(node.op->type()) == "dropout") return false;
  return std::all_of(node.parameters.begin(), node.parameters.end(),
                     [&](const std::string& name) { return lies_within_any(name, frozen); });
}

// The rank-4 output of a node for any picture that fits: one side is as good as another.
bool has_positions(const Graph& graph, int node) {
  for (const int64_t side : {224, 64, 32}) try {
      return graph.infer({1, graph.node(0).channels, side, side})[static_cast<size_t>(node)]
                 .size() == 4;
    } catch (const Error&) {
      // too small for this network, or not
    }
  return false;
}

}  // namespace

std::optional<int> find_boundary(const Graph& graph, const std::vector<std::string>& frozen) {
  std::optional<int> out;
  // The furthest reader of any node so far: a node with none beyond it but its own is a cut.
  std::vector<int> last_reader(static_cast<size_t>(graph.size()));
  for (int n = 0; n < graph.size(); ++n)
    for (int s : graph.node(n).src) last_reader[static_cast<size_t>(s)] = n;
  int furthest = 0;
  for (int n = 0; n < graph.size(); ++n) {
    if (!is_fixed(graph.node(n), frozen)) break;
    const bool cut = furthest <= n;
    if (cut && n > 0 && n + 1 < graph.size() && has_positions(graph, n)) out = n;
    furthest = std::max(furthest, last_reader[static_cast<size_t>(n)]);
  }
  return out;
}

std::vector<std::string> layers_until(const Graph& graph, const std::string& name) {
  const int last = graph.find(name);
  std::set<std::string> out;
  for (int n = 0; n <= last; ++n)
    for (const std::string& parameter : graph.node(n).parameters)
      out.insert(parameter.substr(0, parameter.rfind('.')));
  return {out.begin(), out.end()};
}

Graph graph_behind(const Graph& graph, int node) {
  Graph out;
  PerNode<std::optional<int>> moved(graph.size());
  Node input = graph.node(0);
  input.channels = graph.node(node).channels;
  moved[node] = out.append_node(std::move(input));
  for (int n = node + 1; n < graph.size(); ++n) {
    Node copy = graph.node(n);
    for (int& s : copy.src) {
      require(moved[s].has_value(), copy.name, ": reads what lies before ", graph.node(node).name);
      s = *moved[s];
    }
    moved[n] = out.append_node(std::move(copy));
  }
  out.take_names(graph, moved);
  return out;
}

PrefixRows::PrefixRows(const models::Model& model, const Parameters& parameters, int boundary,
                       const io::Dataset& data, const std::string& pictures,
                       const io::Preset& preset,
                       const std::optional<io::Augmentation>& augmentation,
                       const PrefixOptions& options)
    : model_(model),
      parameters_(parameters),
      data_(data),
      preset_(preset),
      augmentation_(options.views > 0 ? augmentation : std::nullopt),
      options_(options),
      layer_(model.graph.node(boundary).name) {
  shape_ = model.graph.infer(network::input_shape(1, preset))[static_cast<size_t>(boundary)];
  shape_.erase(shape_.begin());
  Parameters own;  // those that the prefix computes with
  for (int n = 0; n <= boundary; ++n)
    for (const std::string& name : model.graph.node(n).parameters)
      own.add(name, parameters.at(name).value, false);
  nlohmann::json key = {pictures,
                        sha256_of(own),
                        layer_,
                        nlohmann::json::parse(to_json(preset)),
                        to_string(options.dtype),
                        shape_};
  if (augmentation_)
    key.push_back(
        {options.seed, options.views, nlohmann::json::parse(io::to_json(*augmentation_))});
  const std::string folder = options.folder + "/prefix-" + sha256_of_text(key.dump()).substr(0, 16);
  const int64_t views = augmentation_ ? options.views : 1;
  const int64_t values = count(shape_), wanted = RowFile::bytes(data.size(), values, options.dtype);
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  require(!error, folder, ": cannot make the folder: ", error.message());
  int64_t missing = 0;
  for (int64_t v = 0; v < views; ++v) {
    const auto there = std::filesystem::file_size(str_cat(folder, "/", v, ".rows"), error);
    if (error || static_cast<int64_t>(there) != wanted) missing += wanted;
  }
  const auto space = std::filesystem::space(folder, error);
  require(
      error || missing <= static_cast<int64_t>(space.available), folder,
      ": what the frozen layers give takes ", missing >> 20, " MB and ", space.available >> 20,
      " MB are free; --cache-dtype bf16 or fewer --views take less, --cache-dtype none nothing");
  for (int64_t v = 0; v < views; ++v)
    views_.push_back(std::make_unique<RowFile>(str_cat(folder, "/", v, ".rows"), data.size(),
                                               values, options.dtype));
}

int64_t PrefixRows::bytes() const {
  return std::ssize(views_) * RowFile::bytes(data_.size(), count(shape_), options_.dtype);
}

void PrefixRows::fill(const ProgressFunction& progress) {
  const int64_t n = data_.size(), total = n * std::ssize(views_);
  int64_t done = 0;
  for (const auto& view : views_) done += view->done();
  if (done == total) return;
  const int64_t batch = std::min<int64_t>(16, n);
  network::Predictor predictor(model_, parameters_, network::input_shape(batch, preset_), layer_);
  for (size_t v = 0; v < views_.size(); ++v) {
    RowFile& file = *views_[v];
    if (file.done() == n) continue;
    io::Loader loader(data_, preset_, augmentation_,
                      {.batch_size = batch, .seed = options_.seed, .cache_bytes = 0});
    loader.start_epoch(static_cast<int64_t>(v), file.done());
    for (io::Batch b; loader.next(b);) {
      require(b.indices.front() == file.done(),
              data_.samples[static_cast<size_t>(file.done())].path,
              ": could be read at first, and now cannot");
      file.append(predictor.run(b.images));
      done += b.size();
      if (progress) progress({.task = "what the frozen layers give", .done = done, .total = total});
    }
    require(file.done() == n, "a picture could be read at first, and now cannot: ",
            loader.skipped().empty() ? "" : loader.skipped().front().path);
  }
}

Tensor PrefixRows::read(std::span<const int64_t> samples, int64_t epoch) const {
  Shape shape = shape_;
  shape.insert(shape.begin(), std::ssize(samples));
  Tensor out = Tensor::uninitialised(shape);
  const RowFile& view = *views_[static_cast<size_t>(epoch % std::ssize(views_))];
  const int64_t values = count(shape_);
  parallel_for_dynamic(std::ssize(samples), [&](int64_t i) {
    view.read(samples[static_cast<size_t>(i)], out.data() + i * values);
  });
  return out;
}

}  // namespace limbic::train
