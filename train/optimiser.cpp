#include "limbic/train/optimiser.h"
#include "limbic/nn/compile/program.h"

#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>

#include "limbic/core/finite.h"
#include "limbic/core/parallel.h"
#include "limbic/core/simd.h"
#include "limbic/nn/ops/elementwise.h"
#include "limbic/weights/load.h"

namespace limbic::train {
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

Sgd::Sgd(Plan& plan, const SgdOptions& options)
    : plan_(plan), plan_lifetime_(plan.lifetime()), options_(options) {
  require(plan.program().options().gradients, "Sgd: its plan needs PlanOptions::gradients");
  require(options.momentum >= 0 && std::isfinite(options.momentum) && options.weight_decay >= 0 &&
              std::isfinite(options.weight_decay),
          "Sgd: momentum and weight_decay must be finite and not negative, got ", options.momentum,
          " and ", options.weight_decay);
  for (const PackedParameter& p : plan.program().packed()) {
    velocity_.push_back(p.trainable ? Tensor({p.value.size()}) : Tensor());
    factor_.push_back(1);
    for (const auto& [path, factor] : options.rate_factors)
      if (lies_within(p.name, path)) {
        require(std::isfinite(factor) && factor >= 0, "Sgd: the learning rate's factor of '", path,
                "' must be finite and not negative, got ", factor);
        factor_.back() = factor;
        break;
      }
  }
}

Plan& Sgd::plan() const {
  require(!plan_lifetime_.expired(), "Sgd: its plan is gone");
  return plan_;
}

void Sgd::accumulate(std::span<const float> diff) {
  const auto& packed = plan().program().packed();
  sum_.resize(packed.size());
  const auto sink = [&](size_t i) {
    if (sum_[i].empty()) sum_[i] = Tensor({packed[i].value.size()});
    if (accumulated_)
      add_to(sum_[i].data(), plan().packed_gradient(i), sum_[i].size());
    else
      copy_to(sum_[i].data(), plan().packed_gradient(i), sum_[i].size());
  };
  plan().backward(diff, std::cref(sink));
  accumulated_ = true;
}

std::string Sgd::step(std::span<const float> diff, double learning_rate) {
  require(std::isfinite(learning_rate) && learning_rate >= 0,
          "Sgd: the learning rate must be finite and not negative, got ", learning_rate);
  const Rule rule{static_cast<float>(learning_rate), static_cast<float>(options_.momentum),
                  static_cast<float>(options_.weight_decay), options_.nesterov};
  const auto& packed = plan().program().packed();
  std::string not_finite;
  const auto sink = [&](size_t i) {
    float* gradient = plan().packed_gradient(i);
    if (accumulated_) add_to(gradient, sum_[i].data(), sum_[i].size());
    std::atomic<bool> finite = true;
    Rule own = rule;
    own.rate *= static_cast<float>(factor_[i]);
    parallel_ranges(packed[i].value.size(), [&](int64_t begin, int64_t end) {
      if (!update(packed[i].value.data() + begin, velocity_[i].data() + begin, gradient + begin,
                  own, end - begin))
        finite = false;
    });
    if (!finite) not_finite = packed[i].name;
  };
  plan().backward(diff, std::cref(sink));
  accumulated_ = false;
  return not_finite;
}

std::map<std::string, Tensor> Sgd::state() const {
  std::map<std::string, Tensor> out;
  const auto& packed = plan().program().packed();
  for (size_t i = 0; i < packed.size(); ++i)
    if (packed[i].trainable) out[packed[i].name] = plan().unpack(packed[i], velocity_[i].raw());
  return out;
}

void Sgd::restore(const std::map<std::string, Tensor>& state) {
  const auto& packed = plan().program().packed();
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
    plan().pack(packed[i], velocity, velocity_[i]);
  }
}

}  // namespace limbic::train
