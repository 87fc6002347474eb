#include "limbic/svm/block_distances.h"

#include <doctest/doctest.h>

#include <array>
#include <cmath>

#include "limbic/core/random.h"
#include "limbic/svm/kernel.h"

using namespace limbic;
using namespace limbic::svm;

namespace {

// The three blocks of a fused vector, of very different widths.
std::vector<Tensor> make_blocks(int64_t n) {
  std::vector<Tensor> out;
  Random random(3);
  for (int64_t width : {17, 40, 5}) {
    out.emplace_back(Shape{n, width});
    for (float& value : out.back().values()) value = static_cast<float>(random.normal());
  }
  return out;
}

// The vector itself: blocks weighted and put side by side.
Tensor concatenate(const std::vector<Tensor>& blocks, const std::array<double, 3>& weights) {
  int64_t d = 0, at = 0;
  for (const Tensor& block : blocks) d += block.dim(1);
  Tensor out({blocks[0].dim(0), d});
  for (size_t b = 0; b < blocks.size(); ++b) {
    const int64_t width = blocks[b].dim(1);
    for (int64_t i = 0; i < out.dim(0); ++i)
      for (int64_t j = 0; j < width; ++j)
        out.data()[i * d + at + j] =
            static_cast<float>(weights[b] * double{blocks[b].data()[i * width + j]});
    at += width;
  }
  return out;
}

double largest_difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  double largest = 0;
  for (int64_t i = 0; i < a.size(); ++i)
    largest = std::max(largest, std::abs(double{a.data()[i]} - double{b.data()[i]}));
  return largest;
}

}  // namespace

TEST_CASE("block distances: alpha, beta and both equal the concatenated vector's own") {
  const auto blocks = make_blocks(90);
  const BlockDistances distances(blocks, {});
  CHECK(distances.samples() == 90);
  for (double a : {0.0, 0.25, 0.5, 1.0})
    for (double b : {-1.0, 0.0, 0.5, 0.75}) {
      CAPTURE(a);
      CAPTURE(b);
      // b < 0: alpha alone.
      const std::array<double, 3> weights =
          b < 0 ? std::array<double, 3>{a, 1 - a, 1}
                : std::array<double, 3>{(1 - b) * a, (1 - b) * (1 - a), b};
      const Tensor x = concatenate(blocks, weights);
      CHECK(largest_difference(distances.rbf(weights, 0.02), kernel_matrix(x, {.gamma = 0.02})) <
            1e-5);
    }
}

TEST_CASE("block distances: what does not fit is refused") {
  auto blocks = make_blocks(10);
  const BlockDistances distances(blocks, {});
  CHECK_THROWS_AS(distances.rbf(std::vector<double>{1, 2}, 1), Error);
  CHECK_THROWS_AS(distances.rbf(std::vector<double>{1, 2, NAN}, 1), Error);
  CHECK_THROWS_AS(distances.rbf(std::vector<double>{1, 2, 3}, 0), Error);
  CHECK_THROWS_AS(BlockDistances(blocks, {.gamma = 1, .budget_bytes = 1000}), Error);
  CHECK_THROWS_AS(BlockDistances(std::vector<Tensor>{}, {}), Error);
  blocks[1] = Tensor({11, 4});
  CHECK_THROWS_AS(BlockDistances(blocks, {}), Error);
}
