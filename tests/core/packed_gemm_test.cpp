#include <doctest/doctest.h>

#include <hwy/highway.h>
#include <cmath>
#include <vector>

#include "limbic/core/packed_gemm.h"
#include "limbic/core/random.h"

using namespace limbic;

namespace {

template <class T>
std::vector<T> random_values(int64_t count, uint64_t stream) {
  std::vector<T> out(static_cast<size_t>(count));
  Random random(7, stream);
  for (T& x : out) x = static_cast<T>(random.uniform(-1, 1));
  return out;
}

int64_t padded(int64_t cols, int64_t lanes) { return (cols + lanes - 1) / lanes * lanes; }

// C = A B, then A B once more, continued or added, against f64; returns the largest difference.
template <class T>
double worst_difference(int64_t rows, int64_t cols, int64_t inner, bool transposed, Into second) {
  const int64_t width = padded(cols, vector_lanes<T>()), c_stride = width + 5,
                a_row = transposed ? 1 : inner + 3, a_inner = transposed ? rows + 3 : 1;
  const std::vector<T> a = random_values<T>((rows + 3) * (inner + 3), 1),
                       b = random_values<T>(inner * cols, 2);
  std::vector<T> packed(static_cast<size_t>(inner * width), NAN),
      c(static_cast<size_t>(rows * c_stride), NAN);
  if (transposed)  // of b stored (cols,inner)
    pack_columns(b.data(), 1, inner, inner, cols, packed.data());
  else
    pack_columns(b.data(), cols, 1, inner, cols, packed.data());
  PackedGemm<T> product = {.rows = rows,
                           .cols = width,
                           .inner = inner,
                           .a = a.data(),
                           .a_row_stride = a_row,
                           .a_inner_stride = a_inner,
                           .b = packed.data(),
                           .c = c.data(),
                           .c_stride = c_stride};
  multiply(product);
  product.into = second;
  multiply(product);
  double worst = 0;
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < c_stride; ++j) {
      const T got = c[static_cast<size_t>(i * c_stride + j)];
      if (j >= width) {
        CHECK(std::isnan(got));  // beyond the matrix nothing is written
        continue;
      }
      double sum = 0;
      if (j < cols)
        for (int64_t k = 0; k < inner; ++k)
          sum += double{a[static_cast<size_t>(i * a_row + k * a_inner)]} *
                 double{b[static_cast<size_t>(transposed ? j * inner + k : k * cols + j)]};
      const double difference = std::abs(double{got} - 2 * sum);
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
      for (const int64_t cols : {1, 16, 17, 40, 64})
        for (const Into second : {Into::continue_, Into::add}) {
          CHECK(worst_difference<float>(rows, cols, 19, rows % 3 == 0, second) < 1e-5);
          CHECK(worst_difference<double>(rows, cols, 19, rows % 3 == 0, second) < 1e-13);
        }
    CHECK(worst_difference<float>(5, 32, 1, false, Into::add) < 1e-5);
    CHECK(worst_difference<float>(5, 32, 300, false, Into::continue_) < 1e-4);
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().DeInit();
}

TEST_CASE("packed gemm: bits do not depend on how a product is cut") {
  const int64_t lanes = vector_floats(), rows = 29, cols = 5 * lanes, inner = 24;
  const std::vector<float> a = random_values<float>(rows * inner, 1),
                           b = random_values<float>(inner * cols, 2);
  std::vector<float> packed(b.size()), whole(static_cast<size_t>(rows * cols)), cut(whole);
  pack_columns(b.data(), cols, 1, inner, cols, packed.data());
  multiply({.rows = rows,
            .cols = cols,
            .inner = inner,
            .a = a.data(),
            .a_row_stride = inner,
            .b = packed.data(),
            .c = whole.data(),
            .c_stride = cols});
  for (int64_t k = 0; k < inner; k += 8) {  // pieces of inner, and single rows
    pack_columns(b.data() + k * cols, cols, 1, 8, cols, packed.data());
    for (int64_t row = 0; row < rows; ++row)
      multiply({.rows = 1,
                .cols = cols,
                .inner = 8,
                .a = a.data() + row * inner + k,
                .a_row_stride = inner,
                .b = packed.data(),
                .c = cut.data() + row * cols,
                .c_stride = cols,
                .into = k > 0 ? Into::continue_ : Into::replace});
  }
  CHECK(whole == cut);
}
