#include <doctest/doctest.h>

#include <hwy/highway.h>
#include <cmath>

#include "limbic/core/packed_gemm.h"
#include "limbic/core/random.h"
#include "limbic/core/tensor.h"

using namespace limbic;

namespace {

Tensor random_tensor(Shape shape, uint64_t stream) {
  Tensor t(std::move(shape));
  Random random(7, stream);
  for (float& x : t.values()) x = static_cast<float>(random.uniform(-1, 1));
  return t;
}

// C = A B, then C += A B, against f64; returns the largest difference.
double worst_difference(int64_t rows, int64_t cols, int64_t inner) {
  const int64_t lanes = vector_floats(), padded = (cols + lanes - 1) / lanes * lanes;
  const int64_t a_stride = inner + 3, c_stride = padded + 5;
  const Tensor a = random_tensor({rows, a_stride}, 1), b = random_tensor({inner, cols}, 2);
  Tensor packed({packed_floats(inner, cols)}), c({rows, c_stride});
  for (float& x : packed.values()) x = NAN;
  for (float& x : c.values()) x = NAN;
  pack_columns(b.data(), inner, cols, packed.data());
  PackedGemm product = {.rows = rows,
                        .cols = padded,
                        .inner = inner,
                        .a = a.data(),
                        .a_stride = a_stride,
                        .b = packed.data(),
                        .c = c.data(),
                        .c_stride = c_stride};
  multiply(product);
  product.accumulate = true;
  multiply(product);
  double worst = 0;
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < c_stride; ++j) {
      const float got = c.data()[i * c_stride + j];
      if (j >= padded) {
        CHECK(std::isnan(got));  // beyond the matrix nothing is written
        continue;
      }
      double sum = 0;
      if (j < cols)
        for (int64_t k = 0; k < inner; ++k)
          sum += double{a.data()[i * a_stride + k]} * double{b.data()[k * cols + j]};
      const double difference = std::abs(got - 2 * sum);
      worst = std::isnan(difference) ? INFINITY : std::max(worst, difference);
    }
  return worst;
}

}  // namespace

TEST_CASE("packed gemm: every number of rows, odd columns, every instruction set") {
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().DeInit();
    CAPTURE(hwy::TargetName(target));
    CAPTURE(vector_floats());
    for (int64_t rows = 1; rows <= 30; ++rows)
      for (const int64_t cols : {1, 16, 17, 40, 64}) CHECK(worst_difference(rows, cols, 19) < 1e-5);
    CHECK(worst_difference(5, 32, 1) < 1e-5);
    CHECK(worst_difference(5, 32, 300) < 1e-4);
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().DeInit();
}

TEST_CASE("packed gemm: bits do not depend on how a product is cut") {
  const int64_t lanes = vector_floats(), rows = 29, cols = 5 * lanes, inner = 24;
  const Tensor a = random_tensor({rows, inner}, 1), b = random_tensor({inner, cols}, 2);
  Tensor packed({packed_floats(inner, cols)}), whole({rows, cols}), cut({rows, cols});
  pack_columns(b.data(), inner, cols, packed.data());
  multiply({.rows = rows,
            .cols = cols,
            .inner = inner,
            .a = a.data(),
            .a_stride = inner,
            .b = packed.data(),
            .c = whole.data(),
            .c_stride = cols});
  for (int64_t k = 0; k < inner; k += 8) {  // pieces of inner, and single rows
    pack_columns(b.data() + k * cols, 8, cols, packed.data());
    for (int64_t row = 0; row < rows; ++row)
      multiply({.rows = 1,
                .cols = cols,
                .inner = 8,
                .a = a.data() + row * inner + k,
                .a_stride = inner,
                .b = packed.data(),
                .c = cut.data() + row * cols,
                .c_stride = cols,
                .accumulate = k > 0});
  }
  CHECK(std::equal(whole.values().begin(), whole.values().end(), cut.values().begin()));
}
