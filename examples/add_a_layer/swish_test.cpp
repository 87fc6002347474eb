#include "examples/add_a_layer/swish.h"

#include <doctest/doctest.h>

#include <cmath>

#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/ops/conv2d.h"
#include "limbic/twins/check_gradient.h"
#include "limbic/twins/differentiate.h"
#include "tests/text.h"

using namespace limbic;
using namespace limbic::twins;
using limbic::testing::source_text;

namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

Array naive_swish(const Op&, const std::vector<Array>& src, const std::vector<Array*>&,
                  const Shape&) {
  Array dst = src[0];
  for (double& x : dst.values) x *= sigmoid(x);
  return dst;
}

Twin::Gradients naive_swish_backward(const Op&, const std::vector<Array>& src,
                                     const std::vector<const Array*>&, const Array& dy) {
  Array dx = dy;
  for (size_t i = 0; i < dx.values.size(); ++i) {
    const double x = src[0].values[i], s = sigmoid(x);
    dx.values[i] *= s * (1 + x * (1 - s));
  }
  return {{dx}};
}

const Twin twin = {naive_swish, naive_swish_backward};

}  // namespace

TEST_CASE("swish: output and gradient equal the naive twin's") {
  const GradientCase alone{
      "swish", [](Graph& g) { return swish(g.input(5)); }, {2, 5, 7, 3}, true, {}, twin};
  const GradientCase after_convolution{"conv2d, batch_norm, swish",
                                       [](Graph& g) {
                                         const Value x = conv2d(
                                             g.root() / "conv", g.input(3),
                                             {.out_channels = 6, .kernel_size = 3, .bias = false});
                                         return swish(batch_norm(g.root() / "bn", x));
                                       },
                                       {3, 3, 6, 5},
                                       true,
                                       {},
                                       twin};
  for (const GradientCase& c : {alone, after_convolution}) {
    CAPTURE(c.name);
    for (bool fuse : {false, true}) {
      const GradientErrors errors = check_gradient(c, fuse);
      CHECK(errors.output < 2e-6);
      CHECK_MESSAGE(errors.gradient < 1e-5, to_string(errors.tensors, 1e-5));
      CHECK(errors.twin < 1e-7);
    }
  }
}

TEST_CASE("swish: an op without a twin, and a twin that does not fit, are named") {
  GradientCase c{"swish", [](Graph& g) { return swish(g.input(2)); }, {1, 2, 2, 2}};
  CHECK_THROWS_WITH(check_gradient(c, true), "op 'swish' has no naive twin");
  c.twin.forward = [](auto&&...) { return Array({1, 2}); };
  CHECK_THROWS_WITH(check_gradient(c, true),
                    "the naive twin of op 'swish' gives (1,2), the op infers (1,2,2,2)");

  Graph graph;
  c.build(graph);
  Arrays none;
  const Mode forward_alone{.twin = {naive_swish}};
  const auto values = evaluate(graph, none, Array(c.input), forward_alone);
  CHECK_THROWS_WITH(differentiate(graph, none, values, 1, values[1], forward_alone),
                    "op 'swish' has no naive backward twin");
}

TEST_CASE("docs/add_a_layer.md shows the code that is compiled here") {
  const std::string folder = "examples/add_a_layer/";
  const std::string code = source_text(folder + "swish.h") + source_text(folder + "swish.cpp") +
                           source_text(folder + "swish_test.cpp") +
                           source_text("examples/CMakeLists.txt");
  const std::string doc = source_text("docs/add_a_layer.md"), fence = "```";
  int blocks = 0;
  for (size_t at = doc.find(fence); at != std::string::npos; at = doc.find(fence, at)) {
    const size_t begin = doc.find('\n', at) + 1, end = doc.find(fence, begin);
    REQUIRE(end != std::string::npos);
    const std::string language = doc.substr(at + fence.size(), begin - 1 - at - fence.size());
    const std::string block = doc.substr(begin, end - begin);
    at = end + fence.size();
    if (language != "cpp" && language != "cmake") continue;
    CAPTURE(block);
    CHECK(code.find(block) != std::string::npos);
    ++blocks;
  }
  CHECK(blocks >= 6);
}
