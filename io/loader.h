#pragma once
#include <atomic>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "limbic/core/error.h"
#include "limbic/core/progress.h"
#include "limbic/core/tensor.h"
#include "limbic/io/augment.h"
#include "limbic/io/byte_budget.h"
#include "limbic/io/dataset.h"
#include "limbic/io/preset.h"
#include "limbic/io/read_ahead.h"

// How two cores stay busy without fighting: ONE background thread reads the bytes of coming files
// and does nothing else. Decoding and augmentation run inside next(), on the pool that also
// computes the network, so there is never a thread more than there are cores, and no decoder can
// starve beside compute threads that spin. Decoding takes some milliseconds a picture against the
// tens that a training step of the same picture takes; what it costs is the same as with threads of
// its own. Small sets are decoded once: pictures are kept up to a budget. Everything that grows
// with the size of pictures is counted in bytes: what is read ahead, decoded at once, and kept.
//
// A batch depends on (data set, preset, augmentation, seed, epoch) and on where the epoch was
// started, never on the number of threads, on timing, or on what the cache holds.

namespace limbic::io {

struct LoaderOptions {
  int64_t batch_size = 32;
  uint64_t seed = 0;
  bool shuffle = false;                          ///< Anew each epoch.
  bool drop_last = false;                        ///< Leave out a last batch that is not full.
  int64_t cache_bytes = int64_t{512} << 20;      ///< Of decoded pictures; 0: keep none.
  int64_t read_ahead_bytes = int64_t{64} << 20;  ///< Of files read but not yet decoded.
  int64_t decode_bytes = int64_t{256} << 20;     ///< Of pictures being decoded, beside the cache.
};

struct Batch {
  Tensor images;                 ///< (N,3,crop,crop) f32, normalised by the preset.
  std::vector<int64_t> labels;   ///< N
  std::vector<int64_t> indices;  ///< N, into Dataset::samples.

  int64_t size() const { return static_cast<int64_t>(labels.size()); }

 private:
  friend class Loader;
  Tensor storage_;  // images is its first rows; kept from batch to batch
};

/// Does what reads or decodes the picture `path`. Returns why that cannot be done, without the
/// path; "" where it can. Only an Error is the picture's fault: std::bad_alloc comes through.
template <class Read>
std::string reason_to_skip(const std::string& path, Read&& read) {
  try {
    read();
    return "";
  } catch (const Error& error) {
    const std::string message = error.what(), prefix = path + ": ";
    return message.starts_with(prefix) ? message.substr(prefix.size()) : message;
  }
}

/// Turns a data set into batches, epoch by epoch. Pictures that cannot be read or decoded are
/// skipped and listed; the samples that follow take their places, so that batches stay full.
class Loader {
 public:
  /// Throws Error on an empty data set or options out of range.
  ///
  /// Memory that runs out is no fault of a picture: std::bad_alloc comes through, from any member.
  Loader(Dataset dataset, Preset preset, std::optional<Augmentation> augmentation,
         LoaderOptions options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  /// Reads every picture once, before the first epoch, and leaves out for good those that cannot be
  /// used: `dataset`, `batches` and epochs are of the others, and the batch size is at most their
  /// number, so that an epoch always makes a step. A picture that cannot be read later on is then
  /// an Error, since the steps were counted with it. Returns the SHA-256 of all files' hashes and
  /// labels in order: it stands for what the pictures show. Throws Error where none can be used.
  std::string keep_usable(const ProgressFunction& progress = {});

  /// Starts an epoch at sample `first_sample` of its order (a `position()` read earlier, to
  /// resume). Throws Error where that lies outside the data set.
  void start_epoch(int64_t epoch, int64_t first_sample = 0);

  /// Starts an epoch over these samples, in this order. That not one of them can be used is for the
  /// caller to say.
  void start_epoch(int64_t epoch, std::vector<int64_t> order);

  /// Fills `batch`, with `size` samples where it is given (at most the batch size), reusing its
  /// memory (a tensor kept from the last call changes with it); false at
  /// the epoch's end, leaving it empty. Starts epoch 0 where none was started. Throws Error when
  /// not one picture of a whole epoch can be used.
  bool next(Batch& batch, int64_t size = 0);

  /// Samples of this epoch's order used so far, the skipped ones included.
  int64_t position() const { return position_; }
  int64_t epoch() const { return epoch_; }
  /// Batches of an epoch without skips.
  int64_t batches() const;
  int64_t batch_size() const { return options_.batch_size; }
  /// Each sample that was skipped, once, in the order they came up.
  const std::vector<SkippedSample>& skipped() const { return skipped_; }
  const Dataset& dataset() const { return dataset_; }
  const Preset& preset() const { return preset_; }

 private:
  struct Task;
  void load_more(Batch& batch, int64_t size);
  void start(std::vector<int64_t> order, int64_t epoch, int64_t first_sample);
  void prepare(Task& task, float* chw);
  void keep(int64_t index, Picture picture);
  void skip(const Task& task);
  void prepare_storage(Batch& batch) const;

  Dataset dataset_;
  Preset preset_;
  std::optional<Augmentation> augmentation_;
  LoaderOptions options_;
  // by sample; empty: not kept. Fitted already if nothing is augmented
  std::vector<Picture> cache_;
  std::atomic<int64_t> cached_bytes_ = 0;
  ByteBudget decoding_;
  std::vector<std::string> hashes_;  // of the files, while keep_usable reads them
  bool chosen_ = false;              // the epoch is of samples that a caller has named
  bool fixed_ = false;               // keep_usable has said which pictures there are
  std::vector<SkippedSample> skipped_;
  std::set<int64_t> skipped_indices_;
  std::vector<int64_t> order_;
  int64_t epoch_ = -1, position_ = 0, first_ = 0, used_ = 0;
  std::vector<Task> tasks_;
  ReadAhead reader_;
};

}  // namespace limbic::io
