#pragma once
// train: the loop over loader, plan and optimiser; schedules; checkpoints; resume; evaluation.
#include <map>

#include "limbic/nn/plan.h"
#include "limbic/train/gradient_exchange.h"

namespace limbic::train {

struct SgdOptions {
  double momentum = 0.9;
  bool nesterov = false;
  double weight_decay = 0;  ///< L2, added to the gradient, as torch.optim.SGD does.
  /// Factors of the learning rate, by parameter or by the path that it lies within; the first that
  /// fits counts: a new last layer often learns ten times as fast.
  std::vector<std::pair<std::string, double>> rate_factors = {};
};

struct AdamOptions {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double weight_decay = 0;
  bool decoupled = false;  ///< AdamW: the decay shrinks the weight and is not in the gradient.
  std::vector<std::pair<std::string, double>> rate_factors = {};  ///< As SgdOptions'.
};

/// A rule that changes a plan's packed parameters by their gradients. Throws Error once its plan is
/// gone.
class Optimiser {
 public:
  Optimiser(const Optimiser&) = delete;
  Optimiser& operator=(const Optimiser&) = delete;
  virtual ~Optimiser() = default;

  /// Backward from `diff`; the gradients are added to a second buffer, for batches computed in
  /// several micro-batches.
  void accumulate(std::span<const float> diff);
  /// Backward from `diff` and one update, with what has been accumulated added: each parameter
  /// changes as soon as its gradient is there, while both are in the cache. Returns the name of a
  /// parameter that the update has made NaN or infinite; "" where all are finite.
  std::string step(std::span<const float> diff, double learning_rate);
  /// One update with gradients that an exchange has summed up, after its `finish`.
  std::string step(GradientExchange& gradients, double learning_rate);

  /// Its memory, canonical layout: SGD's velocities by parameter name; Adam's first moments by
  /// name, the second under "second/<name>", its steps so far as "adam/steps".
  std::map<std::string, Tensor> state() const;
  /// Throws Error where a tensor is missing, of another shape or dtype, or not finite.
  void restore(const std::map<std::string, Tensor>& state);

 protected:
  /// `moments`: what it remembers of each parameter, as messages call it.
  Optimiser(Plan& plan, const char* name, std::vector<const char*> moments,
            const std::vector<std::pair<std::string, double>>& rate_factors);

  /// A stretch of one parameter; moments as the constructor named them.
  struct Stretch {
    float *weight, *moments[2];
    const float* gradient;
    int64_t n;
  };
  /// Step number `step` (from 1) at `rate`; returns whether all weights are finite afterwards.
  virtual bool update(const Stretch& s, double rate, int64_t step) const = 0;

 private:
  Plan& plan() const;
  bool update_parameter(size_t i, const float* gradient, double learning_rate);
  void begin_step(double learning_rate);

  Plan& plan_;
  std::weak_ptr<void> plan_lifetime_;
  std::string name_;
  std::vector<const char*> moment_names_;
  std::vector<std::vector<Tensor>> moments_;  ///< Each parallel to the plan's packed parameters.
  std::vector<Tensor> sum_;                   ///< The same.
  std::vector<double> factor_;                ///< The same.
  bool accumulated_ = false;
  int64_t steps_ = 0;
};

/// Stochastic gradient descent, PyTorch's rule:
///   g = gradient + weight_decay w;  v = momentum v + g;  w -= lr * (nesterov ? g + momentum v : v)
/// Plain twin: reference/sgd.h.
class Sgd : public Optimiser {
 public:
  Sgd(Plan& plan, const SgdOptions& options);

 private:
  bool update(const Stretch& s, double rate, int64_t step) const override;
  SgdOptions options_;
};

/// Adam (Kingma and Ba 2015, arXiv:1412.6980), PyTorch's rule, in its t-th step:
///   g = gradient + weight_decay w   (decoupled: w -= lr weight_decay w in its place, AdamW,
///                                    Loshchilov and Hutter 2019, arXiv:1711.05101)
///   m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
///   w -= lr m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon)
/// Plain twin: reference/adam.h.
class Adam : public Optimiser {
 public:
  Adam(Plan& plan, const AdamOptions& options);

 private:
  bool update(const Stretch& s, double rate, int64_t step) const override;
  AdamOptions options_;
};

}  // namespace limbic::train
