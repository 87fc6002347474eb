#include "limbic/svm/kernel_rows.h"

#include <algorithm>

namespace limbic::svm {

CachedRows::CachedRows(const SampleKernel& kernel, std::vector<int64_t> samples,
                       int64_t budget_bytes)
    : kernel_(kernel), of_kernel_(std::move(samples)), slot_(of_kernel_.size(), -1) {
  // A few columns too many cost less than many small products.
  constexpr int64_t smallest_gap = 16;
  for (int64_t sample : of_kernel_) {
    if (runs_.empty() || sample < runs_.back().end || sample > runs_.back().end + smallest_gap)
      runs_.push_back({sample, sample});
    columns_ += sample + 1 - runs_.back().end;
    runs_.back().end = sample + 1;
    column_.push_back(columns_ - 1);
  }
  const int64_t n = std::ssize(of_kernel_), affordable = budget_bytes / std::max<int64_t>(4 * n, 4);
  // A batch passes through a block of its own, which counts.
  batch_ = std::min({largest_batch, n, std::max<int64_t>(affordable / 4, 1)});
  capacity_ = std::min(n, std::max({affordable - batch_, batch_, int64_t{2}}));
  memory_.resize(static_cast<size_t>(capacity_));
  sample_in_.resize(static_cast<size_t>(capacity_), -1);
  older_.resize(static_cast<size_t>(capacity_) + 1, capacity_);
  newer_.resize(static_cast<size_t>(capacity_) + 1, capacity_);
}

void CachedRows::unlink(int64_t slot) {
  const auto older = static_cast<size_t>(older_[static_cast<size_t>(slot)]),
             newer = static_cast<size_t>(newer_[static_cast<size_t>(slot)]);
  newer_[older] = static_cast<int64_t>(newer);
  older_[newer] = static_cast<int64_t>(older);
}

void CachedRows::link_newest(int64_t slot) {
  const auto end = static_cast<size_t>(capacity_), at = static_cast<size_t>(slot);
  const int64_t newest = older_[end];
  older_[at] = newest;
  newer_[at] = capacity_;
  newer_[static_cast<size_t>(newest)] = slot;
  older_[end] = slot;
}

// A free slot, or the one whose row was not used for longest.
int64_t CachedRows::take_slot() {
  if (used_ < capacity_) {
    memory_[static_cast<size_t>(used_)] =
        std::make_unique_for_overwrite<float[]>(static_cast<size_t>(samples()));
    return used_++;
  }
  const int64_t oldest = newer_[static_cast<size_t>(capacity_)];
  unlink(oldest);
  slot_[static_cast<size_t>(sample_in_[static_cast<size_t>(oldest)])] = -1;
  return oldest;
}

void CachedRows::load(std::span<const int64_t> samples_wanted) {
  std::vector<int64_t> wanted, rows;
  for (int64_t sample :
       samples_wanted.first(static_cast<size_t>(std::min(batch_, std::ssize(samples_wanted)))))
    if (!ready(sample)) {
      wanted.push_back(sample);
      rows.push_back(of_kernel_[static_cast<size_t>(sample)]);
    }
  block_.resize(rows.size() * static_cast<size_t>(columns_));
  int64_t column = 0;
  for (const Range& run : runs_) {
    kernel_.compute(rows, run, {block_.data() + column, std::ssize(rows), run.size(), columns_});
    column += run.size();
  }
  for (size_t i = 0; i < wanted.size(); ++i) {
    const int64_t slot = take_slot();
    const float* values = block_.data() + static_cast<int64_t>(i) * columns_;
    float* row = memory_[static_cast<size_t>(slot)].get();
    for (size_t t = 0; t < column_.size(); ++t) row[t] = values[column_[t]];
    slot_[static_cast<size_t>(wanted[i])] = slot;
    sample_in_[static_cast<size_t>(slot)] = wanted[i];
    link_newest(slot);
  }
  computed_ += std::ssize(wanted);
}

const float* CachedRows::row(int64_t sample) {
  if (!ready(sample)) load({&sample, 1});
  const int64_t slot = slot_[static_cast<size_t>(sample)];
  unlink(slot);
  link_newest(slot);
  return memory_[static_cast<size_t>(slot)].get();
}

}  // namespace limbic::svm
