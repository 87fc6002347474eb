#include "limbic/svm/gemm.h"

#include <doctest/doctest.h>

#include <hwy/highway.h>
#include <cmath>
#include <vector>

#include "limbic/core/error.h"
#include "limbic/core/parallel.h"
#include "limbic/core/random.h"

using namespace limbic;
using namespace limbic::svm;

namespace {

// A matrix of rows x cols in memory of its own, which is stored transposed or with gaps.
template <class T>
struct Stored {
  std::vector<T> values;
  Matrix<T> matrix;

  Stored(int64_t rows, int64_t cols, bool transposed, int64_t gap, Random* random)
      : values(static_cast<size_t>((transposed ? cols : rows) * ((transposed ? rows : cols) + gap)),
               T(7)),
        matrix{values.data(), transposed ? cols : rows, transposed ? rows : cols,
               (transposed ? rows : cols) + gap, transposed} {
    if (random)
      for (T& x : values) x = static_cast<T>(random->normal());
  }
  T& at(int64_t i, int64_t j) {
    return matrix.data[matrix.transposed ? j * matrix.stride + i : i * matrix.stride + j];
  }
  operator Matrix<const T>() const {
    return {matrix.data, matrix.rows, matrix.cols, matrix.stride, matrix.transposed};
  }
};

// The largest difference from the definition, in units of what rounding may do; that nothing beside
// C is written is checked.
template <class T>
double worst(int64_t m, int64_t n, int64_t k, Random& random) {
  Stored<T> a(m, k, random.uniform() < 0.5, 3, &random),
      b(k, n, random.uniform() < 0.5, 5, &random), c(m, n, false, 2, nullptr);
  const bool accumulate = random.uniform() < 0.5;
  gemm(a, b, c.matrix, accumulate);
  double largest = 0;
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      double sum = accumulate ? 7 : 0, size = 7;
      for (int64_t p = 0; p < k; ++p) {
        const double product = double{a.at(i, p)} * double{b.at(p, j)};
        sum += product;
        size += std::abs(product);
      }
      const double difference = std::abs(double{c.at(i, j)} - sum);
      largest = std::max(largest, std::isnan(difference) ? INFINITY : difference / size);
    }
    for (int64_t j = n; j < n + 2; ++j) CHECK(c.at(i, j) == T(7));
  }
  return largest;
}

std::vector<float> product(int64_t m, int64_t n, int64_t k, const std::vector<float>& x) {
  std::vector<float> c(static_cast<size_t>(m * n));
  gemm({x.data(), m, k, k}, Matrix<const float>{x.data(), n, k, k}.t(), {c.data(), m, n, n});
  return c;
}

}  // namespace

TEST_CASE(
    "gemm: against the definition, any shape, stride and transpose, on every instruction set") {
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().DeInit();
    CAPTURE(hwy::TargetName(target));
    Random random(3);
    for (int i = 0; i < 60; ++i) {
      const auto size = [&](int64_t most) { return static_cast<int64_t>(random.uniform() * most); };
      const int64_t m = size(i % 3 ? 8 : 200), n = size(i % 4 ? 40 : 300),
                    k = size(i % 5 ? 30 : 900);
      CAPTURE(m);
      CAPTURE(n);
      CAPTURE(k);
      CHECK(worst<float>(m, n, k, random) < 1e-6);
      CHECK(worst<double>(m, n, k, random) < 2e-15);
    }
    CHECK(worst<float>(3, 2100, 500, random) < 1e-6);   // few rows; more columns than a slab
    CHECK(worst<float>(90, 2100, 800, random) < 1e-6);  // pieces, blocks, slabs
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().DeInit();
  std::vector<double> x(6);
  CHECK_THROWS_WITH_AS(gemm(Matrix<const double>{x.data(), 2, 2, 2}, {x.data(), 3, 2, 2},
                            Matrix<double>{x.data(), 2, 2, 2}),
                       "gemm: (2,2) x (3,2) does not give (2,2)", Error);
}

TEST_CASE("gemm: the triangle is the square's") {
  const int64_t k = 500;
  Random random(5);
  for (const int64_t n : {1, 7, 64, 65, 200, 2100}) {
    std::vector<float> x(static_cast<size_t>(n * k)), c(static_cast<size_t>(n * n));
    for (float& v : x) v = static_cast<float>(random.normal());
    gemm_symmetric({x.data(), n, k, k}, {c.data(), n, n, n});
    const std::vector<float> square = product(n, n, k, x);
    int64_t different = 0;
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j <= i; ++j)
        different += c[static_cast<size_t>(i * n + j)] != square[static_cast<size_t>(i * n + j)];
    CHECK(different == 0);
  }
}

TEST_CASE("gemm: an element's bits do not depend on what is computed beside it, nor on threads") {
  const int64_t m = 50, n = 230, k = 1000;
  Random random(6);
  std::vector<float> x(static_cast<size_t>(n * k));
  for (float& v : x) v = static_cast<float>(random.normal());
  const std::vector<float> whole = product(m, n, k, x);
  for (const int64_t rows : {1, 2, 5, 49}) {
    const std::vector<float> part = product(rows, n, k, x);
    CHECK(std::equal(part.begin(), part.end(), whole.begin()));
  }
  const std::vector<float> narrow = product(m, 13, k, x);
  for (int64_t i = 0; i < m; ++i)
    CHECK(
        std::equal(narrow.begin() + i * 13, narrow.begin() + (i + 1) * 13, whole.begin() + i * n));
  for (const int team : {1, 3, 16}) {
    const ThreadScope scope(team);
    CHECK(product(m, n, k, x) == whole);
  }
}
