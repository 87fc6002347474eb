#pragma once
#include <memory>
#include <vector>

#include "limbic/nn/plan.h"
#include "limbic/train/communicator.h"

namespace limbic::train {

struct ExchangeOptions {
  int64_t bucket_bytes = int64_t{25} << 20;  ///< Gradients leave in parts of about this size.
  /// Gradients travel in the parameters' own layout and not as this processor's kernels keep them:
  /// needed where those of two ranks differ.
  bool canonical = false;
};

/// The gradients of one step, added up over parts of a batch, over plans, and over processes. They
/// lie in the order in which backward finishes them, last layers first; a bucket leaves as soon as
/// all of it is there, while backward goes on with the layers before.
class GradientExchange {
 public:
  /// For the trained parameters of `plan`, whose layouts the sums have.
  GradientExchange(Plan& plan, Communicator& communicator, ExchangeOptions options = {});

  /// Backward on `plan`, or on another plan of the same graph, after its run. `last`: nothing comes
  /// behind it in this step.
  void add(Plan& plan, std::span<const float> diff, bool last);
  /// Sends what has not left yet, also where nothing was added, and waits for all sums.
  void finish();
  /// After `finish`: the sum for plan.program().packed()[index], packed.
  float* gradient(size_t index);
  /// Before the next step.
  void clear();

  int64_t bytes() const { return static_cast<int64_t>(sums_.size() * sizeof(float)); }
  int64_t buckets() const { return std::ssize(bucket_ends_); }

 private:
  struct Place {
    size_t begin = 0, size = 0;  ///< In sums_; size 0: not trained.
    size_t bucket = 0;
  };
  void put(Plan& from, size_t index);
  void send_ready();

  Plan& plan_;
  Communicator& communicator_;
  bool canonical_;
  std::vector<float> sums_;
  std::vector<Place> places_;         ///< By index in packed().
  std::vector<size_t> bucket_ends_;   ///< In sums_.
  std::vector<size_t> bucket_sizes_;  ///< Parameters in each.
  std::vector<size_t> missing_;       ///< The same, of those not there yet.
  size_t sent_ = 0;                   ///< Buckets.
  Tensor packed_;                     ///< Of `gradient`, where sums are canonical.
};

}  // namespace limbic::train
