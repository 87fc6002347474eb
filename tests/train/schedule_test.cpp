#include "limbic/train/schedule.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/train/golden.h"

using namespace limbic;
using namespace limbic::train;

TEST_CASE("schedule: equals torch.optim.lr_scheduler step by step") {
  const nlohmann::json golden = testing::read_golden("schedules");
  const double base = golden.at("base");
  for (const auto& c : golden.at("cases")) {
    Schedule schedule{.kind = schedule_kind(c.at("kind"))};
    const int64_t total = c.at("total");
    if (c.contains("every"))
      schedule.step_every = c.at("every").get<double>() / static_cast<double>(total);
    CAPTURE(c.at("kind").get<std::string>());
    CAPTURE(total);
    for (int64_t step = 0; step < total; ++step) {
      CAPTURE(step);
      const double expected = c.at("rates")[static_cast<size_t>(step)];
      // 1e-9 of the base: PyTorch computes cosine annealing by a recurrence.
      CHECK(std::abs(learning_rate(schedule, base, step, total) - expected) < 1e-9 * base);
    }
  }
}

TEST_CASE("schedule: warm-up, constant, the ends") {
  const Schedule constant{};
  CHECK(learning_rate(constant, 0.5, 0, 10) == 0.5);
  CHECK(learning_rate(constant, 0.5, 9, 10) == 0.5);
  const Schedule warm{.kind = Schedule::Kind::cosine, .warmup = 0.25};
  for (int64_t step = 0; step < 5; ++step)  // 1/5, 2/5, ... of the base
    CHECK(learning_rate(warm, 1, step, 20) == doctest::Approx((step + 1) / 5.0));
  CHECK(learning_rate(warm, 1, 5, 20) == doctest::Approx(1));
  double last = 1;
  for (int64_t step = 6; step < 20; ++step) {
    const double rate = learning_rate(warm, 1, step, 20);
    CHECK(rate < last);
    CHECK(rate > 0);
    last = rate;
  }
  // One-cycle begins at base / 25, and so does what comes before it: no jump.
  const Schedule cycle{.kind = Schedule::Kind::one_cycle, .warmup = 0.1};
  CHECK(learning_rate(cycle, 1, 9, 100) == doctest::Approx(0.04));
  CHECK(learning_rate(cycle, 1, 10, 100) == doctest::Approx(0.04));
  double highest = 0;
  for (int64_t step = 0; step < 100; ++step) {
    const double rate = learning_rate(cycle, 1, step, 100);
    highest = std::max(highest, rate);
    if (step > 0) CHECK(std::abs(rate - learning_rate(cycle, 1, step - 1, 100)) < 0.06);
  }
  CHECK(highest == doctest::Approx(1));
  CHECK(learning_rate(cycle, 1, 99, 100) == doctest::Approx(1 / 25e4));
  // However short the fall is, it ends there: of one step, and behind a rise of nearly all.
  CHECK(learning_rate({.kind = Schedule::Kind::one_cycle}, 1, 0, 1) == doctest::Approx(1 / 25e4));
  const Schedule late{.kind = Schedule::Kind::one_cycle, .one_cycle_rise = 0.95};
  CHECK(learning_rate(late, 1, 9, 10) == doctest::Approx(1 / 25e4));
  for (const std::string name : {"constant", "step", "cosine", "one-cycle"}) {
    const Schedule s{.kind = schedule_kind(name)};
    CHECK(to_string(s.kind) == name);
    for (int64_t total : {0, 1, 2, 3})  // never divides by zero
      for (int64_t step = 0; step <= total; ++step) {
        const double rate = learning_rate(s, 0.1, step, total);
        CHECK(std::isfinite(rate));
        CHECK(rate >= 0);
        CHECK(rate <= 0.1);
      }
  }
  CHECK_THROWS_WITH(schedule_kind("linear"),
                    "unknown schedule 'linear'; known are constant, step, cosine, one-cycle");
}
