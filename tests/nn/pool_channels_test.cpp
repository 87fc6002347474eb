// Pooling takes channels in blocks of 512 (nn/ops/pool2d.cpp): more of them than one block has, and
// no multiple.
#include <doctest/doctest.h>

#include "limbic/nn/ops/pool2d.h"
#include "limbic/twins/check_gradient.h"

using namespace limbic;
using namespace limbic::twins;

TEST_CASE("ops: pools of more channels than a block equal the naive f64 twin's") {
  const Shape input = {2, 521, 5, 4};
  const auto unary = [&](const std::string& name, const std::function<Value(Value)>& op) {
    return GradientCase{name, [=](Graph& g) { return op(g.input(input[1])); }, input};
  };
  const std::vector<GradientCase> cases = {
      unary("max", [](Value x) { return max_pool2d(x, {.kernel_size = 3, .padding = 1}); }),
      unary("average", [](Value x) { return avg_pool2d(x, {.kernel_size = 3, .padding = 1}); }),
      unary("adaptive",
            [](Value x) {
              return adaptive_avg_pool2d(x, {3, 2});
            }),
      unary("global", [](Value x) { return global_avg_pool(x); })};
  for (const GradientCase& c : cases) {
    CAPTURE(c.name);
    const GradientErrors errors = check_gradient(c, false, 100);
    CHECK(errors.output < 2e-6);
    CHECK(errors.gradient < 1e-5);
  }
}
