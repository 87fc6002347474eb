#include "train/optimiser.h"

#include <atomic>
#include <bit>
#include <cstring>

#include "nn/core/parallel.h"
#include "nn/core/simd.h"
#include "nn/ops/elementwise.h"
#include "weights/load.h"

namespace limbic {
namespace {

struct Rule {
  float rate, momentum, decay;
  bool nesterov;
};

// Returns whether all weights are finite afterwards.
LIMBIC_MULTIVERSION bool update(float* __restrict w, float* __restrict v,
                                const float* __restrict gradient, Rule rule, int64_t n) {
  int32_t largest = 0;  // of the weights' bits without their signs
  for (int64_t i = 0; i < n; ++i) {
    const float g = gradient[i] + rule.decay * w[i];
    v[i] = rule.momentum * v[i] + g;
    w[i] -= rule.rate * (rule.nesterov ? g + rule.momentum * v[i] : v[i]);
    const int32_t magnitude = std::bit_cast<int32_t>(w[i]) & INT32_MAX;
    largest = magnitude > largest ? magnitude : largest;
  }
  return largest < 0x7f800000;
}

}  // namespace

Sgd::Sgd(Plan& plan, const SgdOptions& options) : plan_(plan), options_(options) {
  for (const PackedParameter& p : plan.program().packed())
    velocity_.push_back(p.trainable ? Tensor({p.value.size()}) : Tensor());
}

void Sgd::accumulate(std::span<const float> diff) {
  const auto& packed = plan_.program().packed();
  sum_.resize(packed.size());
  const auto sink = [&](size_t i) {
    if (sum_[i].empty()) sum_[i] = Tensor({packed[i].value.size()});
    if (accumulated_)
      add_to(sum_[i].data(), plan_.packed_gradient(i), sum_[i].size());
    else
      copy_to(sum_[i].data(), plan_.packed_gradient(i), sum_[i].size());
  };
  plan_.backward(diff, std::cref(sink));
  accumulated_ = true;
}

std::string Sgd::step(std::span<const float> diff, double learning_rate) {
  const Rule rule{static_cast<float>(learning_rate), static_cast<float>(options_.momentum),
                  static_cast<float>(options_.weight_decay), options_.nesterov};
  const auto& packed = plan_.program().packed();
  std::string not_finite;
  const auto sink = [&](size_t i) {
    float* gradient = plan_.packed_gradient(i);
    if (accumulated_) add_to(gradient, sum_[i].data(), sum_[i].size());
    std::atomic<bool> finite = true;
    parallel_ranges(packed[i].value.size(), [&](int64_t begin, int64_t end) {
      if (!update(packed[i].value.data() + begin, velocity_[i].data() + begin, gradient + begin,
                  rule, end - begin))
        finite = false;
    });
    if (!finite) not_finite = packed[i].name;
  };
  plan_.backward(diff, std::cref(sink));
  accumulated_ = false;
  return not_finite;
}

std::map<std::string, Tensor> Sgd::state() const {
  std::map<std::string, Tensor> out;
  const auto& packed = plan_.program().packed();
  for (size_t i = 0; i < packed.size(); ++i)
    if (packed[i].trainable) out[packed[i].name] = plan_.unpack(packed[i], velocity_[i].raw());
  return out;
}

void Sgd::restore(const std::map<std::string, Tensor>& state) {
  const auto& packed = plan_.program().packed();
  for (size_t i = 0; i < packed.size(); ++i) {
    if (!packed[i].trainable) continue;
    const auto found = state.find(packed[i].name);
    require(found != state.end(), "optimiser state: no velocity for '", packed[i].name, "'");
    const Tensor& velocity = found->second;
    require(velocity.dtype() == DType::f32 && velocity.shape() == packed[i].shape,
            "optimiser state: velocity of '", packed[i].name, "': expected F32 ",
            to_string(packed[i].shape), ", got ", to_string(velocity.dtype()), " ",
            to_string(velocity.shape()));
    require(all_finite(velocity), "optimiser state: velocity of '", packed[i].name,
            "' holds NaN or infinity");
    plan_.pack(packed[i], velocity, velocity_[i]);
  }
}

}  // namespace limbic
