#include "limbic/io/loader.h"
#include "limbic/hash/hash.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "limbic/core/error.h"
#include "limbic/core/file.h"
#include "limbic/core/parallel.h"
#include "limbic/core/random.h"
#include "limbic/io/decode.h"

namespace limbic::io {

// One sample on its way into a batch.
struct Loader::Task {
  int64_t index = 0;
  ReadAhead::File file;
  std::string reason;  // why it is skipped; empty: it is not
};

Loader::Loader(Dataset dataset, Preset preset, std::optional<Augmentation> augmentation,
               LoaderOptions options)
    : dataset_(std::move(dataset)),
      preset_(std::move(preset)),
      augmentation_(std::move(augmentation)),
      options_(options),
      cache_(dataset_.samples.size()),
      decoding_(options.decode_bytes),
      reader_(options.read_ahead_bytes) {
  require(dataset_.size() > 0, "loader: the data set has no pictures");
  require(options_.batch_size > 0, "loader: expected a batch size above 0, got ",
          options_.batch_size);
  require(options_.cache_bytes >= 0 && options_.read_ahead_bytes >= 0 && options_.decode_bytes >= 0,
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
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), int64_t{0});
  if (options_.shuffle) order = shuffle_order(n, options_.seed, epoch);
  start(std::move(order), epoch, first_sample);
}

void Loader::start_epoch(int64_t epoch, std::vector<int64_t> order) {
  start(std::move(order), epoch, 0);
  chosen_ = true;
}

void Loader::start(std::vector<int64_t> order, int64_t epoch, int64_t first_sample) {
  order_ = std::move(order);
  chosen_ = false;
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

std::string Loader::keep_usable(const ProgressFunction& progress) {
  const int64_t n = dataset_.size();
  hashes_.resize(static_cast<size_t>(n));
  std::vector<int64_t> order(static_cast<size_t>(n)), usable;
  std::iota(order.begin(), order.end(), int64_t{0});
  start(std::move(order), 0, 0);
  const bool drop_last = std::exchange(options_.drop_last, false);
  for (Batch batch; next(batch);) {
    usable.insert(usable.end(), batch.indices.begin(), batch.indices.end());
    if (progress) progress({.task = "checking pictures", .done = position_, .total = n});
  }
  options_.drop_last = drop_last;

  Dataset rest{dataset_.classes, {}};
  std::vector<Picture> cached;
  std::string content;
  for (const int64_t index : usable) {
    const auto at = static_cast<size_t>(index);
    content += str_cat(hashes_[at], ' ', dataset_.samples[at].label, '\n');
    rest.samples.push_back(std::move(dataset_.samples[at]));
    cached.push_back(std::move(cache_[at]));
  }
  dataset_ = std::move(rest);
  cache_ = std::move(cached);
  hashes_.clear();
  skipped_indices_.clear();
  options_.batch_size = std::min(options_.batch_size, dataset_.size());
  epoch_ = -1;
  fixed_ = true;
  return sha256_of_text(content);
}

void Loader::prepare_storage(Batch& batch) const {
  const Shape shape{options_.batch_size, 3, preset_.crop, preset_.crop};
  if (batch.storage_.shape() != shape) batch.storage_ = Tensor(shape);
  batch.labels.clear();
  batch.indices.clear();
}

bool Loader::next(Batch& batch, int64_t size) {
  if (epoch_ < 0) start_epoch(0);
  if (size == 0) size = options_.batch_size;
  require(size <= options_.batch_size, "a batch of ", size, " where ", options_.batch_size,
          " is the most");
  prepare_storage(batch);
  const int64_t n = std::ssize(order_);
  while (batch.size() < size && position_ < n) load_more(batch, size);
  used_ += batch.size();
  require(used_ > 0 || first_ > 0 || chosen_, "none of the ", n,
          " pictures can be used; the first: ",
          skipped_.empty() ? "" : skipped_.front().path + ": " + skipped_.front().reason);
  if (options_.drop_last && batch.size() < size) {
    batch.labels.clear();
    batch.indices.clear();
  }
  batch.images = batch.storage_.rows(0, batch.size());
  return batch.size() > 0;
}

// Takes as many samples as the batch lacks, or fewer where their files are large, and appends those
// that can be used, in order.
void Loader::load_more(Batch& batch, int64_t size) {
  const int64_t before = batch.size();
  const int64_t most = std::min(size - before, std::ssize(order_) - position_);
  const int64_t floats = 3 * preset_.crop * preset_.crop;
  float* images = batch.storage_.data();
  tasks_.clear();
  int64_t count = 0, bytes = 0;
  while (count < most && (count < threads() || bytes < options_.read_ahead_bytes)) {
    tasks_.push_back({order_[static_cast<size_t>(position_++)], reader_.next(), {}});
    bytes += std::ssize(tasks_.back().file.bytes);
    ++count;
  }
  parallel_for_dynamic(count, [&](int64_t k) {
    prepare(tasks_[static_cast<size_t>(k)], images + (before + k) * floats);
  });
  for (int64_t k = 0; k < count; ++k) {
    const Task& task = tasks_[static_cast<size_t>(k)];
    if (!task.reason.empty()) {
      skip(task);
      continue;
    }
    const int64_t from = before + k, to = batch.size();  // apart where others were skipped
    if (from != to) std::copy_n(images + from * floats, floats, images + to * floats);
    batch.indices.push_back(task.index);
    batch.labels.push_back(dataset_.samples[static_cast<size_t>(task.index)].label);
  }
  tasks_.clear();
}

void Loader::prepare(Task& task, float* chw) {
  const auto at = static_cast<size_t>(task.index);
  const std::string& path = dataset_.samples[at].path;
  ByteBudget::Share share;
  Picture decoded;
  task.reason = reason_to_skip(path, [&] {
    const Picture* picture = &cache_[at];
    if (picture->pixels.empty()) {
      require(task.file.error.empty(), task.file.error);
      if (!hashes_.empty()) hashes_[at] = sha256(task.file.bytes);
      share = decoding_.take(decoded_bytes(task.file.bytes));
      decoded = decode(task.file.bytes, path, preset_.decode_options());
      task.file.bytes = {};
      if (!augmentation_) decoded = fit(decoded, preset_);
      picture = &decoded;
    }
    if (augmentation_) {
      Random random(combine(options_.seed, static_cast<uint64_t>(epoch_)),
                    static_cast<uint64_t>(task.index));
      normalise(augment(*picture, *augmentation_, preset_, random), preset_, chw);
    } else {
      normalise(*picture, preset_, chw);
    }
  });
  if (task.reason.empty() && !decoded.pixels.empty()) keep(task.index, std::move(decoded));
}

// Where it still fits; which pictures do depends on the threads, and no batch depends on them.
void Loader::keep(int64_t index, Picture picture) {
  const int64_t bytes = std::ssize(picture.pixels);
  if (cached_bytes_.fetch_add(bytes) + bytes <= options_.cache_bytes)
    cache_[static_cast<size_t>(index)] = std::move(picture);
  else
    cached_bytes_ -= bytes;
}

void Loader::skip(const Task& task) {
  const std::string& path = dataset_.samples[static_cast<size_t>(task.index)].path;
  require(!fixed_, path, ": could be read at first, and now: ", task.reason);
  if (skipped_indices_.insert(task.index).second) skipped_.push_back({path, task.reason});
}

}  // namespace limbic::io
