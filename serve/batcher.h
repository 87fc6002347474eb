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

/// Computes pictures of many callers in batches, one after the other: as many as wait when the one
/// before is done.
class Batcher {
 public:
  /// `batch` pictures at most at once, `most` waiting.
  Batcher(limbic_model* model, size_t batch, size_t most);
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

  limbic_model* model_;
  const size_t batch_, most_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Ticket> tickets_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace limbic::serve
