#include "io/loader.h"

#include <algorithm>
#include <numeric>

#include "io/decode.h"
#include "nn/core/error.h"
#include "nn/core/parallel.h"
#include "nn/core/random.h"

namespace limbic {

// One sample on its way into a batch.
struct Loader::Task {
  int64_t index = 0;
  ReadAhead::File file;
  Picture decoded;     // empty where the cache had it
  std::string reason;  // why it is skipped; empty: it is not
};

std::string reason_without_path(const std::string& message, const std::string& path) {
  const std::string prefix = path + ": ";
  return message.starts_with(prefix) ? message.substr(prefix.size()) : message;
}

Loader::Loader(Dataset dataset, Preset preset, std::optional<Augmentation> augmentation,
               LoaderOptions options)
    : dataset_(std::move(dataset)),
      preset_(std::move(preset)),
      augmentation_(std::move(augmentation)),
      options_(options),
      cache_(dataset_.samples.size()),
      reader_(options.read_ahead_bytes) {
  require(dataset_.size() > 0, "loader: the data set has no pictures");
  require(options_.batch_size > 0, "loader: expected a batch size above 0, got ",
          options_.batch_size);
  require(options_.cache_bytes >= 0 && options_.read_ahead_bytes >= 0,
          "loader: expected budgets of 0 bytes or more");
  if (augmentation_) check(*augmentation_);
}

Loader::~Loader() = default;

int64_t Loader::batches() const {
  const int64_t n = dataset_.size(), size = options_.batch_size;
  return options_.drop_last ? n / size : (n + size - 1) / size;
}

void Loader::start_epoch(int64_t epoch, int64_t first_sample) {
  const int64_t n = dataset_.size();
  require(epoch >= 0, "loader: expected an epoch of 0 or more, got ", epoch);
  require(first_sample >= 0 && first_sample <= n, "loader: expected a first sample of 0 to ", n,
          ", got ", first_sample);
  if (options_.shuffle) {
    order_ = shuffle_order(n, options_.seed, epoch);
  } else {
    order_.resize(static_cast<size_t>(n));
    std::iota(order_.begin(), order_.end(), int64_t{0});
  }
  epoch_ = epoch;
  position_ = first_ = first_sample;
  used_ = 0;
  std::vector<std::string> paths;
  for (auto i = order_.begin() + first_sample; i != order_.end(); ++i) {
    const size_t at = static_cast<size_t>(*i);
    paths.push_back(cache_[at].pixels.empty() ? dataset_.samples[at].path : "");
  }
  reader_.start(std::move(paths));
}

void Loader::prepare_storage(Batch& batch) const {
  const Shape shape{options_.batch_size, 3, preset_.crop, preset_.crop};
  if (batch.storage_.shape() != shape) batch.storage_ = Tensor(shape);
  batch.labels.clear();
  batch.indices.clear();
}

bool Loader::next(Batch& batch) {
  if (epoch_ < 0) start_epoch(0);
  prepare_storage(batch);
  const int64_t n = dataset_.size();
  while (batch.size() < options_.batch_size && position_ < n) load_more(batch);
  used_ += batch.size();
  require(used_ > 0 || first_ > 0, "none of the ", n, " pictures can be used; the first: ",
          skipped_.empty() ? "" : skipped_.front().path + ": " + skipped_.front().reason);
  if (options_.drop_last && batch.size() < options_.batch_size) {
    batch.labels.clear();
    batch.indices.clear();
  }
  batch.images = batch.storage_.rows(0, batch.size());
  return batch.size() > 0;
}

// Takes as many samples as the batch lacks and appends those that can be used, in order.
void Loader::load_more(Batch& batch) {
  const int64_t before = batch.size();
  const int64_t count = std::min(options_.batch_size - before, dataset_.size() - position_);
  const int64_t floats = 3 * preset_.crop * preset_.crop;
  float* images = batch.storage_.data();
  tasks_.clear();
  for (int64_t k = 0; k < count; ++k) {
    tasks_.emplace_back().index = order_[static_cast<size_t>(position_++)];
    tasks_.back().file = reader_.next();
  }
  parallel_for_dynamic(count, [&](int64_t k) {
    prepare(tasks_[static_cast<size_t>(k)], images + (before + k) * floats);
  });
  for (int64_t k = 0; k < count; ++k) {
    Task& task = tasks_[static_cast<size_t>(k)];
    remember(task);
    if (!task.reason.empty()) continue;
    const int64_t from = before + k, to = batch.size();  // apart where others were skipped
    if (from != to) std::copy_n(images + from * floats, floats, images + to * floats);
    batch.indices.push_back(task.index);
    batch.labels.push_back(dataset_.samples[static_cast<size_t>(task.index)].label);
  }
  tasks_.clear();
}

void Loader::prepare(Task& task, float* chw) const {
  const std::string& path = dataset_.samples[static_cast<size_t>(task.index)].path;
  try {
    const Picture* picture = &cache_[static_cast<size_t>(task.index)];
    if (picture->pixels.empty()) {
      require(task.file.error.empty(), task.file.error);
      task.decoded = decode(task.file.bytes, path, preset_.decode_options());
      task.file.bytes = {};
      if (!augmentation_) task.decoded = fit(task.decoded, preset_);
      picture = &task.decoded;
    }
    if (augmentation_) {
      Random random(combine(options_.seed, static_cast<uint64_t>(epoch_)),
                    static_cast<uint64_t>(task.index));
      normalise(augment(*picture, *augmentation_, preset_, random), preset_, chw);
    } else {
      normalise(*picture, preset_, chw);
    }
  } catch (const std::exception& error) {
    task.reason = reason_without_path(error.what(), path);
  }
}

void Loader::remember(Task& task) {
  if (!task.reason.empty()) {
    if (skipped_indices_.insert(task.index).second)
      skipped_.push_back({dataset_.samples[static_cast<size_t>(task.index)].path, task.reason});
    return;
  }
  const int64_t bytes = static_cast<int64_t>(task.decoded.pixels.size());
  if (bytes == 0 || cached_bytes_ + bytes > options_.cache_bytes) return;
  cached_bytes_ += bytes;
  cache_[static_cast<size_t>(task.index)] = std::move(task.decoded);
}

}  // namespace limbic
