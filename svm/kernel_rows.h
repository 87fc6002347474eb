#pragma once
#include <memory>
#include <span>
#include <vector>

#include "limbic/svm/kernel.h"

namespace limbic::svm {

/// Rows of a symmetric kernel matrix, as a solver asks for them.
class KernelRows {
 public:
  virtual ~KernelRows() = default;
  virtual int64_t samples() const = 0;
  virtual double diagonal(int64_t sample) const = 0;
  /// Whether row(sample) is there without load.
  virtual bool ready(int64_t) const { return true; }
  /// Samples that one load should name: more cost more, but less each.
  virtual int64_t batch() const { return 1; }
  /// Computes the rows of these samples, at most batch(); may forget others.
  virtual void load(std::span<const int64_t>) {}
  /// Kernel values with all samples; valid until the next load.
  virtual const float* row(int64_t sample) = 0;
};

/// A whole matrix in memory; several solvers may share one.
class WholeRows : public KernelRows {
 public:
  explicit WholeRows(Matrix<const float> kernel) : kernel_(kernel) {}
  int64_t samples() const override { return kernel_.rows; }
  double diagonal(int64_t sample) const override { return row_of(sample)[sample]; }
  const float* row(int64_t sample) override { return row_of(sample); }

 private:
  const float* row_of(int64_t sample) const { return kernel_.data + sample * kernel_.stride; }
  Matrix<const float> kernel_;
};

/// Rows of some samples of a kernel, computed in batches by matrix products and kept within a
/// budget; the one that was not used for longest goes first.
class CachedRows : public KernelRows {
 public:
  /// Sample t of this is sample `samples[t]` of the kernel. At least a batch of rows is kept,
  /// whatever the budget.
  CachedRows(const SampleKernel& kernel, std::vector<int64_t> samples, int64_t budget_bytes);

  int64_t samples() const override { return std::ssize(of_kernel_); }
  double diagonal(int64_t sample) const override {
    return kernel_.diagonal(of_kernel_[static_cast<size_t>(sample)]);
  }
  bool ready(int64_t sample) const override { return slot_[static_cast<size_t>(sample)] >= 0; }
  int64_t batch() const override { return batch_; }
  void load(std::span<const int64_t> samples) override;
  const float* row(int64_t sample) override;
  int64_t computed() const { return computed_; }  ///< Rows so far, repeated ones too.

 private:
  static constexpr int64_t largest_batch = 64;
  int64_t take_slot();
  void unlink(int64_t slot);
  void link_newest(int64_t slot);

  const SampleKernel& kernel_;
  std::vector<int64_t> of_kernel_;
  std::vector<Range> runs_;      // of samples of the kernel that are computed together
  std::vector<int64_t> column_;  // of each sample in the runs
  int64_t columns_ = 0;
  int64_t batch_, capacity_, used_ = 0, computed_ = 0;
  std::vector<std::unique_ptr<float[]>> memory_;  // of each slot
  std::vector<int64_t> slot_, sample_in_;
  std::vector<int64_t> older_, newer_;  // a ring over slots, closed by slot capacity_
  std::vector<float> block_;
};

}  // namespace limbic::svm
