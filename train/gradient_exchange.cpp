#include "limbic/train/gradient_exchange.h"

#include <algorithm>

#include "limbic/nn/compile/program.h"
#include "limbic/nn/ops/elementwise.h"

namespace limbic::train {
GradientExchange::GradientExchange(Plan& plan, Communicator& communicator, ExchangeOptions options)
    : plan_(plan), communicator_(communicator), canonical_(options.canonical) {
  const auto& packed = plan.program().packed();
  places_.resize(packed.size());
  size_t end = 0, bucket = 0;
  const auto most = static_cast<size_t>(options.bucket_bytes) / sizeof(float);
  for (size_t i = packed.size(); i-- > 0;) {  // backward comes to the last first
    if (!packed[i].trainable) continue;
    const auto size =
        static_cast<size_t>(canonical_ ? count(packed[i].shape) : packed[i].value.size());
    if (bucket_ends_.size() == bucket) {
      bucket_ends_.push_back(end);
      bucket_sizes_.push_back(0);
    }
    places_[i] = {end, size, bucket};
    bucket_ends_[bucket] = end += size;
    ++bucket_sizes_[bucket];
    if (end - (bucket > 0 ? bucket_ends_[bucket - 1] : 0) >= most) ++bucket;
  }
  sums_.resize(end);
  clear();
}

void GradientExchange::clear() {
  std::fill(sums_.begin(), sums_.end(), 0.0f);
  missing_ = bucket_sizes_;
  sent_ = 0;
}

void GradientExchange::put(Plan& from, size_t index) {
  const Place& place = places_[index];
  const auto& own = from.program().packed()[index];
  if (&from == &plan_ && !canonical_)
    return add_to(&sums_[place.begin], from.packed_gradient(index), own.value.size());
  Tensor gradient = from.unpack(own, from.packed_gradient(index));
  if (!canonical_) {
    Tensor as_plan(Shape{static_cast<int64_t>(place.size)});
    plan_.pack(plan_.program().packed()[index], gradient, as_plan);
    gradient = as_plan;
  }
  add_to(&sums_[place.begin], gradient.data(), gradient.size());
}

void GradientExchange::add(Plan& plan, std::span<const float> diff, bool last) {
  const auto sink = [&](size_t i) {
    put(plan, i);
    if (!last) return;
    --missing_[places_[i].bucket];
    send_ready();
  };
  plan.backward(diff, std::cref(sink));
}

void GradientExchange::send_ready() {
  for (; sent_ < missing_.size() && missing_[sent_] == 0; ++sent_) {
    const size_t begin = sent_ > 0 ? bucket_ends_[sent_ - 1] : 0;
    communicator_.start_sum({&sums_[begin], bucket_ends_[sent_] - begin});
  }
}

void GradientExchange::finish() {
  std::fill(missing_.begin(), missing_.end(), 0);
  send_ready();
  communicator_.finish();
}

float* GradientExchange::gradient(size_t index) {
  const Place& place = places_[index];
  if (!canonical_) return &sums_[place.begin];
  const auto& packed = plan_.program().packed()[index];
  packed_ = Tensor(Shape{packed.value.size()});
  Tensor canonical(packed.shape);
  std::copy_n(&sums_[place.begin], place.size, canonical.data());
  plan_.pack(packed, canonical, packed_);
  return packed_.data();
}

}  // namespace limbic::train
