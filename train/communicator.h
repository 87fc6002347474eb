#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace limbic::train {

struct CommunicatorOptions {
  double timeout =
      300;  ///< Seconds after which a rank that does not answer is named, and all stop.
  /// Sums by a ring: the same bits in every run. Else in the order of the library's choice.
  bool ring = false;
  bool bf16 = false;  ///< Gradients travel in bf16 and are added up in f32.
};

/// The processes that work on one task together; this class is one process alone, so that whoever
/// works with others need not ask whether there are any. All processes make the same calls in the
/// same order, on one thread each. Throws Error; a process that fails ends all.
class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const { return 0; }  ///< From 0.
  virtual int size() const { return 1; }
  bool leads() const { return rank() == 0; }

  /// Rank 0's bytes, at all.
  virtual void broadcast([[maybe_unused]] std::vector<uint8_t>& bytes) {}
  /// Element by element over all ranks; the same bits at all.
  virtual void all_reduce_sum([[maybe_unused]] std::span<double> values) {}
  /// The same, begun: it goes on beside what the caller computes. `values` must stay until
  /// `finish`.
  virtual void start_sum([[maybe_unused]] std::span<float> values) {}
  /// Waits for all sums begun.
  virtual void finish() {}
  /// Every rank's text, in order, at all.
  virtual std::vector<std::string> gather(const std::string& own) { return {own}; }
  virtual void barrier() {}
  /// Before the first call that needs others.
  virtual void configure([[maybe_unused]] const CommunicatorOptions& options) {}
  /// A run begins whose files lie in `folder`. Who of an earlier run there was the first to stop,
  /// where one did; "" else.
  virtual std::string begin_run([[maybe_unused]] const std::string& folder) { return {}; }
  virtual void end_run() {}
  /// Where the work stands, for messages about ranks that stop answering.
  virtual void at_step([[maybe_unused]] int64_t step) {}
};

/// The part of n things in a row that is a rank's: all parts are equal to within one.
struct Share {
  int64_t begin = 0, end = 0;
  int64_t size() const { return end - begin; }
};
inline Share share_of(int64_t n, const Communicator& c) {
  return {n * c.rank() / c.size(), n * (c.rank() + 1) / c.size()};
}

}  // namespace limbic::train
