#pragma once
// train: the loop over loader, plan and optimiser; schedules; checkpoints; resume; evaluation.
#include <map>

#include "limbic/nn/plan.h"

namespace limbic::train {

struct SgdOptions {
  double momentum = 0.9;
  bool nesterov = false;
  double weight_decay = 0;  ///< L2, added to the gradient, as torch.optim.SGD does.
  /// Factors of the learning rate, by parameter or by the path that it lies within; the first that
  /// fits counts: a new last layer often learns ten times as fast.
  std::vector<std::pair<std::string, double>> rate_factors = {};
};

/// Stochastic gradient descent over a plan's packed parameters, PyTorch's rule:
///   g = gradient + weight_decay w;  v = momentum v + g;  w -= lr * (nesterov ? g + momentum v : v)
///
/// Throws Error once its plan is gone. Plain twin: reference/sgd.h.
class Sgd {
 public:
  Sgd(Plan& plan, const SgdOptions& options);

  /// Backward from `diff`; the gradients are added to a second buffer, for batches computed in
  /// several micro-batches.
  void accumulate(std::span<const float> diff);
  /// Backward from `diff` and one update, with what has been accumulated added: each parameter
  /// changes as soon as its gradient is there, while both are in the cache. Returns the name of a
  /// parameter that the update has made NaN or infinite; "" where all are finite.
  std::string step(std::span<const float> diff, double learning_rate);

  /// Velocities by parameter name, canonical layout.
  std::map<std::string, Tensor> state() const;
  /// Throws Error where a velocity is missing, of another shape or dtype, or not finite.
  void restore(const std::map<std::string, Tensor>& state);

 private:
  Plan& plan() const;

  Plan& plan_;
  std::weak_ptr<void> plan_lifetime_;
  SgdOptions options_;
  std::vector<Tensor> velocity_, sum_;  ///< Parallel to the plan's packed parameters.
  std::vector<double> factor_;          ///< The same.
  bool accumulated_ = false;
};

}  // namespace limbic::train
