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

// SGD's step; returns whether all weights are finite afterwards.
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

struct AdamRule {
  float beta1, beta2, epsilon, decay, shrink, rate, root;
};

// The same for Adam: `shrink` is AdamW's factor of the weight, `rate` has the first moment's
// correction in it, `root` is the square root of the second's.
LIMBIC_MULTIVERSION bool update(float* __restrict w, float* __restrict m, float* __restrict v,
                                const float* __restrict gradient, AdamRule rule, int64_t n) {
  int32_t largest = 0;
  for (int64_t i = 0; i < n; ++i) {
    const float g = gradient[i] + rule.decay * w[i];
    m[i] += (1 - rule.beta1) * (g - m[i]);
    v[i] = rule.beta2 * v[i] + (1 - rule.beta2) * g * g;
    w[i] = rule.shrink * w[i] - rule.rate * m[i] / (std::sqrt(v[i]) / rule.root + rule.epsilon);
    const int32_t magnitude = std::bit_cast<int32_t>(w[i]) & INT32_MAX;
    largest = magnitude > largest ? magnitude : largest;
  }
  return largest < 0x7f800000;
}

constexpr const char* steps_key = "adam/steps";

// Where the state keeps moment k of a parameter.
std::string key_of(size_t k, const std::string& name) { return k == 0 ? name : "second/" + name; }

}  // namespace

Optimiser::Optimiser(Plan& plan, const char* name, std::vector<const char*> moments,
                     const std::vector<std::pair<std::string, double>>& rate_factors)
    : plan_(plan),
      plan_lifetime_(plan.lifetime()),
      name_(name),
      moment_names_(std::move(moments)),
      moments_(moment_names_.size()) {
  require(plan.program().options().gradients, name_, ": its plan needs PlanOptions::gradients");
  for (const PackedParameter& p : plan.program().packed()) {
    for (auto& moment : moments_)
      moment.push_back(p.trainable ? Tensor({p.value.size()}) : Tensor());
    factor_.push_back(1);
    for (const auto& [path, factor] : rate_factors)
      if (lies_within(p.name, path)) {
        require(std::isfinite(factor) && factor >= 0, name_, ": the learning rate's factor of '",
                path, "' must be finite and not negative, got ", factor);
        factor_.back() = factor;
        break;
      }
  }
}

Sgd::Sgd(Plan& plan, const SgdOptions& options)
    : Optimiser(plan, "Sgd", {"velocity"}, options.rate_factors), options_(options) {
  require(options.momentum >= 0 && std::isfinite(options.momentum) && options.weight_decay >= 0 &&
              std::isfinite(options.weight_decay),
          "Sgd: momentum and weight_decay must be finite and not negative, got ", options.momentum,
          " and ", options.weight_decay);
}

bool Sgd::update(const Stretch& s, double rate, int64_t) const {
  return train::update(s.weight, s.moments[0], s.gradient,
                       Rule{static_cast<float>(rate), static_cast<float>(options_.momentum),
                            static_cast<float>(options_.weight_decay), options_.nesterov},
                       s.n);
}

Adam::Adam(Plan& plan, const AdamOptions& options)
    : Optimiser(plan, "Adam", {"first moment", "second moment"}, options.rate_factors),
      options_(options) {
  const auto is_beta = [](double beta) { return beta >= 0 && beta < 1; };
  require(is_beta(options.beta1) && is_beta(options.beta2),
          "Adam: beta1 and beta2 must be from 0 to below 1, got ", options.beta1, " and ",
          options.beta2);
  require(options.epsilon > 0 && std::isfinite(options.epsilon) && options.weight_decay >= 0 &&
              std::isfinite(options.weight_decay),
          "Adam: epsilon must be positive and weight_decay not negative, got ", options.epsilon,
          " and ", options.weight_decay);
}

bool Adam::update(const Stretch& s, double rate, int64_t step) const {
  const auto t = static_cast<double>(step);
  const AdamOptions& o = options_;
  const AdamRule rule{.beta1 = static_cast<float>(o.beta1),
                      .beta2 = static_cast<float>(o.beta2),
                      .epsilon = static_cast<float>(o.epsilon),
                      .decay = static_cast<float>(o.decoupled ? 0 : o.weight_decay),
                      .shrink = static_cast<float>(1 - (o.decoupled ? rate * o.weight_decay : 0)),
                      .rate = static_cast<float>(rate / (1 - std::pow(o.beta1, t))),
                      .root = static_cast<float>(std::sqrt(1 - std::pow(o.beta2, t)))};
  return train::update(s.weight, s.moments[0], s.moments[1], s.gradient, rule, s.n);
}

Plan& Optimiser::plan() const {
  require(!plan_lifetime_.expired(), name_, ": its plan is gone");
  return plan_;
}

void Optimiser::accumulate(std::span<const float> diff) {
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

void Optimiser::begin_step(double learning_rate) {
  require(std::isfinite(learning_rate) && learning_rate >= 0, name_,
          ": the learning rate must be finite and not negative, got ", learning_rate);
  ++steps_;
}

// Whether all weights are finite afterwards.
bool Optimiser::update_parameter(size_t i, const float* gradient, double learning_rate) {
  const auto& packed = plan().program().packed()[i];
  std::atomic<bool> finite = true;
  parallel_ranges(packed.value.size(), [&](int64_t begin, int64_t end) {
    Stretch s{packed.value.data() + begin, {}, gradient + begin, end - begin};
    for (size_t k = 0; k < moments_.size(); ++k) s.moments[k] = moments_[k][i].data() + begin;
    if (!update(s, learning_rate * factor_[i], steps_)) finite = false;
  });
  return finite;
}

std::string Optimiser::step(GradientExchange& gradients, double learning_rate) {
  begin_step(learning_rate);
  const auto& packed = plan().program().packed();
  std::string not_finite;
  for (size_t i = 0; i < packed.size(); ++i)
    if (packed[i].trainable && !update_parameter(i, gradients.gradient(i), learning_rate))
      not_finite = packed[i].name;
  return not_finite;
}

std::string Optimiser::step(std::span<const float> diff, double learning_rate) {
  begin_step(learning_rate);
  const auto& packed = plan().program().packed();
  std::string not_finite;
  const auto sink = [&](size_t i) {
    float* gradient = plan().packed_gradient(i);
    if (accumulated_) add_to(gradient, sum_[i].data(), sum_[i].size());
    if (!update_parameter(i, gradient, learning_rate)) not_finite = packed[i].name;
  };
  plan().backward(diff, std::cref(sink));
  accumulated_ = false;
  return not_finite;
}

std::map<std::string, Tensor> Optimiser::state() const {
  std::map<std::string, Tensor> out;
  const auto& packed = plan().program().packed();
  for (size_t k = 0; k < moments_.size(); ++k)
    for (size_t i = 0; i < packed.size(); ++i)
      if (packed[i].trainable)
        out[key_of(k, packed[i].name)] = plan().unpack(packed[i], moments_[k][i].raw());
  if (moments_.size() > 1) out[steps_key] = Tensor::of(std::vector<int64_t>{steps_}, {1});
  return out;
}

void Optimiser::restore(const std::map<std::string, Tensor>& state) {
  const auto& packed = plan().program().packed();
  for (size_t k = 0; k < moments_.size(); ++k)
    for (size_t i = 0; i < packed.size(); ++i) {
      if (!packed[i].trainable) continue;
      const char* what = moment_names_[k];
      const auto found = state.find(key_of(k, packed[i].name));
      require(found != state.end(), "optimiser state: no ", what, " for '", packed[i].name, "'");
      const Tensor& moment = found->second;
      require(moment.dtype() == DType::f32 && moment.shape() == packed[i].shape,
              "optimiser state: ", what, " of '", packed[i].name, "': expected F32 ",
              to_string(packed[i].shape), ", got ", to_string(moment.dtype()), " ",
              to_string(moment.shape()));
      require(all_finite(moment), "optimiser state: ", what, " of '", packed[i].name,
              "' holds NaN or infinity");
      plan().pack(packed[i], moment, moments_[k][i]);
    }
  if (moments_.size() == 1) return;
  const auto found = state.find(steps_key);
  require(found != state.end() && found->second.dtype() == DType::i64 &&
              found->second.size() == 1 && found->second.data<int64_t>()[0] >= 0,
          "optimiser state: no number of steps");
  steps_ = found->second.data<int64_t>()[0];
}

}  // namespace limbic::train
