#pragma once
#include <condition_variable>
#include <deque>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "limbic/limbic_c.h"

namespace limbic::serve {

/// A prepared picture that is freed with it.
using Prepared = std::shared_ptr<limbic_prepared>;

/// What was said of one picture: a row of answers, or why there is none.
struct Reply {
  std::shared_ptr<limbic_answers> answers;
  size_t row = 0;
  std::string error;
};

/// Computes pictures of many callers: side by side, each on a core of its own, or together in
/// batches, as many as wait when the one before is done. What is faster here is found by trying.
class Batcher {
 public:
  /// `batch` pictures at most at once, `most` waiting; side by side up to `cores`.
  Batcher(limbic_model* model, size_t batch, size_t most, size_t cores);
  /// Answers what waits.
  ~Batcher();
  Batcher(const Batcher&) = delete;
  Batcher& operator=(const Batcher&) = delete;

  /// A reply for each picture, in their order; nothing where they would be more than may wait.
  std::optional<std::vector<Reply>> ask(const std::vector<Prepared>& pictures);
  size_t waiting() const;

 private:
  struct Ticket {
    Prepared picture;
    std::promise<Reply> reply;
  };
  void run();
  double seconds_for(size_t callers, size_t pictures) const;

  limbic_model* model_;
  size_t batch_;
  const size_t most_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Ticket> tickets_;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace limbic::serve
