#pragma once
#include <cstdint>
#include <string>

namespace limbic::train {

/// How the learning rate changes over the steps of a training.
struct Schedule {
  enum class Kind { constant, step, cosine, one_cycle } kind = Kind::constant;
  /// Share of all steps over which the rate rises linearly from 0 to where the schedule begins (of
  /// one_cycle: base/25); the schedule has the rest of the steps.
  double warmup = 0;
  double step_every = 1.0 / 3;  ///< step: share of all steps between two drops.
  double step_factor = 0.1;     ///< step: what each drop multiplies by.
  double one_cycle_rise = 0.3;  ///< one_cycle: share of all steps in which the rate rises.
};

/// "constant", "step", "cosine", "one-cycle"; throws Error listing these.
Schedule::Kind schedule_kind(const std::string& name);
std::string to_string(Schedule::Kind kind);

/// The rate for step `step` of `total`, `base` being the highest. cosine falls to 0 by half a
/// cosine (Loshchilov and Hutter 2016, arXiv:1608.03983); one_cycle rises from base/25 and falls to
/// base/250000, both by half a cosine, as torch.optim.lr_scheduler.OneCycleLR does.
double learning_rate(const Schedule& schedule, double base, int64_t step, int64_t total);

}  // namespace limbic::train
