#include "train/optimiser.h"

#include <cstring>

#include "nn/core/parallel.h"
#include "nn/core/simd.h"
#include "nn/ops/elementwise.h"

namespace limbic {
namespace {

struct Rule {
  float rate, momentum, decay;
  bool nesterov;
};

LIMBIC_MULTIVERSION void update(float* __restrict w, float* __restrict v,
                                const float* __restrict gradient, Rule rule, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const float g = gradient[i] + rule.decay * w[i];
    v[i] = rule.momentum * v[i] + g;
    w[i] -= rule.rate * (rule.nesterov ? g + rule.momentum * v[i] : v[i]);
  }
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

void Sgd::step(std::span<const float> diff, double learning_rate) {
  const Rule rule{static_cast<float>(learning_rate), static_cast<float>(options_.momentum),
                  static_cast<float>(options_.weight_decay), options_.nesterov};
  const auto& packed = plan_.program().packed();
  const auto sink = [&](size_t i) {
    float* gradient = plan_.packed_gradient(i);
    if (accumulated_) add_to(gradient, sum_[i].data(), sum_[i].size());
    parallel_ranges(packed[i].value.size(), [&](int64_t begin, int64_t end) {
      update(packed[i].value.data() + begin, velocity_[i].data() + begin, gradient + begin, rule,
             end - begin);
    });
  };
  plan_.backward(diff, std::cref(sink));
  accumulated_ = false;
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
    plan_.pack(packed[i], found->second, velocity_[i]);
  }
}

}  // namespace limbic
