#include "limbic/network/predictor.h"

#include <algorithm>
#include <cstring>

#include "limbic/core/finite.h"
#include "limbic/nn/loss.h"
#include "limbic/weights/load.h"

namespace limbic::network {

Shape input_shape(int64_t batch, const io::Preset& preset) {
  return {batch, 3, preset.crop, preset.crop};
}

namespace {

PlanOptions keeping(PlanOptions options, const std::string& layer) {
  options.keep = {layer};
  return options;
}

}  // namespace

Predictor::Predictor(const models::Model& model, const Parameters& parameters, PlanOptions options,
                     const std::string& layer)
    : layer_(layer), plan_(model.graph, parameters, keeping(std::move(options), layer)) {}

Tensor Predictor::run(const Tensor& images) {
  const int64_t n = images.dim(0), batch = plan_.input_shape()[0];
  Tensor rows;
  for (int64_t begin = 0; begin < n; begin += batch) {
    const int64_t end = std::min(n, begin + batch);
    plan_.run(images.rows(begin, end));
    const Tensor out = plan_.output(layer_);
    const int64_t width = out.size() / out.dim(0);
    if (rows.empty()) rows = Tensor({n, width});
    std::memcpy(rows.data() + begin * width, out.data(),
                static_cast<size_t>((end - begin) * width) * sizeof(float));
  }
  require(rows.empty() || all_finite(rows), layer_,
          ": the network gives NaN or infinity for a picture");
  return rows;
}

Outputs Predictor::run(io::Loader& loader, const std::string& task,
                       const ProgressFunction& progress) {
  Outputs out;
  std::vector<float> values;
  loader.start_epoch(0);
  const int64_t total = loader.dataset().size();
  int64_t width = 0;
  for (io::Batch batch; loader.next(batch);) {
    const Tensor rows = run(batch.images);
    width = rows.dim(1);
    values.insert(values.end(), rows.values().begin(), rows.values().end());
    out.labels.insert(out.labels.end(), batch.labels.begin(), batch.labels.end());
    out.indices.insert(out.indices.end(), batch.indices.begin(), batch.indices.end());
    if (progress) progress({.task = task, .done = loader.position(), .total = total});
  }
  out.values = Tensor::of(values, {static_cast<int64_t>(out.labels.size()), width});
  return out;
}

int64_t argmax(std::span<const float> row) {
  return std::max_element(row.begin(), row.end()) - row.begin();
}

Evaluation evaluate_labels(const std::vector<int64_t>& predicted,
                           const std::vector<int64_t>& labels, int64_t classes) {
  Evaluation e;
  const auto width = static_cast<size_t>(classes);
  e.confusion.assign(width, std::vector<int64_t>(width, 0));
  e.samples = static_cast<int64_t>(labels.size());
  for (size_t i = 0; i < labels.size(); ++i) {
    ++e.confusion.at(static_cast<size_t>(labels[i])).at(static_cast<size_t>(predicted[i]));
    e.accuracy += predicted[i] == labels[i];
  }
  e.accuracy /= std::max<double>(1, static_cast<double>(e.samples));
  return e;
}

Evaluation evaluate_logits(const Tensor& logits, const std::vector<int64_t>& labels) {
  const int64_t classes = logits.dim(1);
  require(all_finite(logits), "evaluation: logits hold NaN or infinity");
  std::vector<int64_t> predicted;
  double top5 = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    const float* row = logits.data() + static_cast<int64_t>(i) * classes;
    predicted.push_back(argmax({row, static_cast<size_t>(classes)}));
    const float own = row[labels[i]];
    const auto before = [&](int64_t c) { return row[c] > own || (row[c] == own && c < labels[i]); };
    int64_t rank = 0;
    for (int64_t c = 0; c < classes; ++c) rank += before(c);
    top5 += rank < 5;
  }
  Evaluation e = evaluate_labels(predicted, labels, classes);
  if (labels.empty()) return e;
  e.top5 = top5 / static_cast<double>(labels.size());
  e.loss = softmax_cross_entropy(logits, labels, {});
  return e;
}

}  // namespace limbic::network
