#include "limbic/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "limbic/core/error.h"

namespace limbic::train {
namespace {

// Half a cosine from `from` at t = 0 to `to` at t = 1.
double half_cosine(double from, double to, double t) {
  return to + (from - to) * 0.5 * (1 + std::cos(std::numbers::pi * t));
}

}  // namespace

Schedule::Kind schedule_kind(const std::string& name) {
  for (const auto kind : {Schedule::Kind::constant, Schedule::Kind::step, Schedule::Kind::cosine,
                          Schedule::Kind::one_cycle})
    if (to_string(kind) == name) return kind;
  fail("unknown schedule '", name, "'; known are constant, step, cosine, one-cycle");
}

std::string to_string(Schedule::Kind kind) {
  switch (kind) {
    case Schedule::Kind::constant:
      return "constant";
    case Schedule::Kind::step:
      return "step";
    case Schedule::Kind::cosine:
      return "cosine";
    case Schedule::Kind::one_cycle:
      return "one-cycle";
  }
  fail("unknown schedule");
}

namespace {

// The rate at `at` of `all` steps, without warm-up.
double plain_rate(const Schedule& s, double base, double at, double all) {
  const double t = std::min(1.0, at / std::max(1.0, all));
  switch (s.kind) {
    case Schedule::Kind::constant:
      return base;
    case Schedule::Kind::step:
      return base * std::pow(s.step_factor, std::floor(t / s.step_every + 1e-9));
    case Schedule::Kind::cosine:
      return half_cosine(base, 0, t);
    case Schedule::Kind::one_cycle: {
      // PyTorch's last step is total - 1, its peak at rise * total - 1.
      const double peak = s.one_cycle_rise * all - 1, last = all - 1;
      if (at <= peak) return half_cosine(base / 25, base, at / std::max(1.0, peak));
      // The fall may be shorter than a step.
      return half_cosine(base, base / 25 / 1e4, std::min(1.0, (at - peak) / (last - peak)));
    }
  }
  fail("unknown schedule");
}

}  // namespace

double learning_rate(const Schedule& s, double base, int64_t step, int64_t total) {
  const double all = static_cast<double>(std::max<int64_t>(total, 1));
  const double warm = std::floor(s.warmup * all), at = static_cast<double>(step);
  const double first = s.kind == Schedule::Kind::one_cycle ? base / 25 : base;
  if (at < warm) return first * (at + 1) / warm;
  return plain_rate(s, base, at - warm, all - warm);
}

}  // namespace limbic::train
