#include "limbic/baselines/cnn.h"

#include <algorithm>

#include "limbic/core/random.h"
#include "limbic/io/loader.h"
#include "limbic/network/predictor.h"

namespace limbic::baselines {
namespace {

// (N,C,H,W) -> (N,C), the mean over H and W; (N,C) as it is.
Tensor pooled(const Tensor& values) {
  if (values.rank() == 2) return values;
  const int64_t rows = values.dim(0) * values.dim(1), area = values.size() / rows;
  Tensor out({values.dim(0), values.dim(1)});
  for (int64_t i = 0; i < rows; ++i) {
    double sum = 0;
    for (int64_t j = 0; j < area; ++j) sum += double{values.data()[i * area + j]};
    out.data()[i] = static_cast<float>(sum / static_cast<double>(area));
  }
  return out;
}

bool any_readable(const io::Dataset& data, const io::DecodeOptions& options) {
  return std::any_of(data.samples.begin(), data.samples.end(), [&](const io::Sample& s) {
    return io::reason_to_skip(s.path, [&] { io::decode_file(s.path, options); }).empty();
  });
}

}  // namespace

network::Network open_cnn(const std::string& name, const network::NetworkSource& source,
                          const Setting& setting, std::vector<std::string>& notes) {
  network::NetworkSource own = source;
  own.seed = combine(setting.seed, hash_name(name.c_str()));
  network::Network out = network::open_network(own);
  for (const std::string& remark : out.remarks) notes.push_back(name + ": " + remark);
  return out;
}

void train_cnn(network::Network& network, const std::string& name, const CnnData& data,
               const Setting& setting, const ProgressFunction& progress,
               std::vector<std::string>& notes,
               const std::function<void(train::TrainOptions&)>& change) {
  train::TrainOptions o = setting.training;
  o.seed = combine(setting.seed, hash_name(name.c_str()));
  o.out = setting.out.empty() ? "" : setting.out + "/" + name;
  o.resume = true;
  if (change) change(o);
  const ProgressFunction named = [&](Progress p) {
    p.task = name + ": " + p.task;
    progress(p);
  };
  const train::TrainResult result =
      train::train(network.model, network.parameters,
                   {data.train, data.validation, network.preset, setting.augmentation}, o,
                   progress ? named : ProgressFunction());
  for (const std::string& text : result.notes) notes.push_back(name + ": " + text);
  if (!result.epochs.empty())
    notes.push_back(str_cat(name, ": ", network.model.name, " at ", network.preset.crop,
                            " pixels, epoch ", result.best_epoch, " of ", result.epochs.size()));
}

LayerOutputs run_layers(const network::Network& network, const std::vector<std::string>& layers,
                        const io::Dataset& data, const ProgressFunction& progress) {
  LayerOutputs out;
  out.rows.resize(layers.size());
  if (!any_readable(data, network.preset.decode_options())) return out;
  io::Loader loader(data, network.preset, std::nullopt, {.batch_size = 16});
  PlanOptions options = PlanOptions::inference(network::input_shape(16, network.preset));
  options.keep = layers;
  Plan plan(network.model.graph, network.parameters, options);
  std::vector<std::vector<float>> values(layers.size());
  loader.start_epoch(0);
  for (io::Batch batch; loader.next(batch);) {
    plan.run(batch.images);
    for (size_t l = 0; l < layers.size(); ++l) {
      const Tensor rows = pooled(plan.output(layers[l]));
      values[l].insert(values[l].end(), rows.values().begin(), rows.values().end());
    }
    out.labels.insert(out.labels.end(), batch.labels.begin(), batch.labels.end());
    out.indices.insert(out.indices.end(), batch.indices.begin(), batch.indices.end());
    if (progress)
      progress({.task = network.model.name + " looks",
                .done = loader.position(),
                .total = data.size(),
                .unit = "img",
                .note = {}});
  }
  const int64_t n = std::ssize(out.labels);
  for (size_t l = 0; l < layers.size(); ++l)
    out.rows[l] = Tensor::of(values[l], {n, std::ssize(values[l]) / n});
  return out;
}

std::vector<int64_t> answers_of(const network::Network& network, const io::Dataset& data,
                                const ProgressFunction& progress) {
  const LayerOutputs out = run_layers(network, {"logits"}, data, progress);
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < std::ssize(out.labels); ++i)
    labels.push_back(network::argmax(
        out.rows[0].rows(i, i + 1).values().first(static_cast<size_t>(network.model.classes))));
  return spread(labels, out.indices, data.size());
}

void lower_fresh_rate(train::TrainOptions& options, std::vector<std::string>& notes) {
  constexpr double most = 0.02;
  if (options.learning_rate <= most) return;
  options.learning_rate = most;
  notes.push_back("learns at a rate of 0.02 from fresh weights: it has no batch norm");
}

int64_t alexnet_size(const Setting& setting, std::vector<std::string>& notes) {
  constexpr int64_t least = 67;  // CaffeNet's, whose pooling wants more than AlexNet's
  if (setting.image_size == 0) return 0;
  const int64_t size = std::max(least, setting.image_size);
  if (size < 224)
    notes.push_back(
        str_cat("pictures of ", size, " pixels, fewer than the network was made for",
                setting.image_size < least ? "; fewer than 67 are too few for its pooling" : ""));
  return size;
}

}  // namespace limbic::baselines
