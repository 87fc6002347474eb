#pragma once
// Two half circles that reach into each other, with noise: what no straight line can part.
#include <cmath>
#include <numbers>

#include "docs/course/check.h"
#include "reference/glyphs.h"

namespace limbic::course {

struct Moons {
  Array points;                ///< (N,2)
  std::vector<double> labels;  ///< +1 the upper, -1 the lower.
};

inline Moons draw_moons(int64_t n, uint64_t seed) {
  reference::Random random(seed);
  Moons out{Array({n, 2}), {}};
  for (int64_t i = 0; i < n; ++i) {
    const double angle = random.uniform(0, std::numbers::pi), y = i % 2 == 0 ? 1 : -1;
    out.points.at(i, 0) = y * std::cos(angle) + (y > 0 ? 0 : 1) + random.uniform(-0.35, 0.35);
    out.points.at(i, 1) = y * std::sin(angle) + (y > 0 ? 0 : 0.5) + random.uniform(-0.35, 0.35);
    out.labels.push_back(y);
  }
  return out;
}

}  // namespace limbic::course
