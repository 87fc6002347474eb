// The choice of the second variable against its definition, at every length: fewer variables than
// lanes, whole blocks, blocks and a rest.
#include "limbic/svm/working_set.h"

#include <doctest/doctest.h>

#include <limits>
#include <vector>

#include "limbic/core/random.h"

using namespace limbic;
using namespace limbic::svm;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

struct Variables {
  std::vector<double> u, not_up, not_low, diagonal;
  std::vector<float> row;
};

Variables random_variables(int64_t n, uint64_t seed) {
  Random random(seed);
  Variables v;
  for (int64_t t = 0; t < n; ++t) {
    v.u.push_back(random.normal());
    v.not_up.push_back(random.below(4) == 0 ? -infinity : 0);
    v.not_low.push_back(random.below(4) == 0 ? infinity : 0);
    v.diagonal.push_back(1 + random.uniform());
    v.row.push_back(static_cast<float>(random.normal()));
  }
  return v;
}

}  // namespace

TEST_CASE("working set: the largest u of I_up, then the largest promised fall in I_low") {
  for (int64_t n = 1; n <= 40; ++n)
    for (uint64_t seed = 0; seed < (n < 16 ? 400u : 40u); ++seed) {
      CAPTURE(n);
      CAPTURE(seed);
      const Variables v = random_variables(n, 100 * seed + static_cast<uint64_t>(n));
      int64_t first = -1, second = -1;
      double largest = -infinity;
      for (int64_t t = 0; t < n; ++t) {
        const auto at = static_cast<size_t>(t);
        if (v.not_up[at] == 0 && v.u[at] > largest) largest = v.u[at], first = t;
      }
      const Largest found = find_largest(v.u.data(), v.not_up.data(), n);
      CHECK(found.index == first);
      if (first < 0) continue;
      CHECK(found.value == largest);

      // Half the cases from an i that violates little, so that some have nobody to go with.
      const double u_i = seed % 2 == 0 ? largest : -3, k_ii = 1.5;
      double fall = 0, violation = -infinity;
      for (int64_t t = 0; t < n; ++t) {
        const auto at = static_cast<size_t>(t);
        if (v.not_low[at] != 0) continue;
        const double b = u_i - v.u[at], a = k_ii + v.diagonal[at] - 2.0 * double{v.row[at]};
        violation = std::max(violation, b);
        const double promised = b * b / (a > 0 ? a : smallest_curvature);
        if (b > 0 && promised > fall) fall = promised, second = t;
      }
      const Second choice = find_second(
          {v.u.data(), v.not_low.data(), v.diagonal.data(), v.row.data(), u_i, k_ii}, n);
      CHECK(choice.index == second);
      CHECK(choice.violation == violation);
    }
}
