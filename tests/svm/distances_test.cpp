#include "limbic/svm/distances.h"

#include <doctest/doctest.h>

#include <cmath>

#include "limbic/core/random.h"
#include "limbic/svm/kernel.h"
#include "limbic/svm/scaler.h"

using namespace limbic;
using namespace limbic::svm;

namespace {

Tensor random_features(Shape shape, double scale, double shift, uint64_t seed) {
  Tensor out(std::move(shape));
  Random random(seed);
  const int64_t d = out.dim(1);
  for (int64_t i = 0; i < out.size(); ++i)
    out.data()[i] =
        static_cast<float>(shift + scale * random.normal() * static_cast<double>(i % d + 1));
  return out;
}

// The largest error of exp(-gamma D) against the definition in f64.
double kernel_error(const Tensor& x, const Tensor& y, const Tensor& kernel, double gamma) {
  double largest = 0;
  const int64_t d = x.dim(1);
  for (int64_t i = 0; i < x.dim(0); ++i)
    for (int64_t j = 0; j < y.dim(0); ++j) {
      double exact = 0;
      for (int64_t c = 0; c < d; ++c)
        exact += std::pow(double{x.data()[i * d + c]} - double{y.data()[j * d + c]}, 2);
      largest = std::max(
          largest, std::abs(double{kernel.data()[i * y.dim(0) + j]} - std::exp(-gamma * exact)));
    }
  return largest;
}

Tensor rbf_of(const SquaredDistances& distances, double gamma) {
  Tensor out(distances.values.shape());
  for (int64_t i = 0; i < out.size(); ++i)
    out.data()[i] =
        static_cast<float>(std::exp(-gamma * distances.unit * double{distances.values.data()[i]}));
  return out;
}

}  // namespace

TEST_CASE("distances: kernels are accurate over awkward shapes, scales and shifts") {
  for (const auto [m, n, d] :
       {std::array<int64_t, 3>{1, 1, 1}, {3, 5, 2}, {17, 300, 33}, {260, 7, 4}})
    for (double scale : {1e-3, 1.0, 1e3})
      for (double shift : {0.0, 100.0}) {
        const double gamma = 1 / (scale * scale * static_cast<double>(d));
        const Tensor x = random_features({m, d}, scale, shift, 1);
        const Tensor y = random_features({n, d}, scale, shift, 2);
        CHECK(kernel_error(x, y, kernel_matrix(x, y, {.gamma = gamma}), gamma) < 2e-5);
        CHECK(kernel_error(x, x, kernel_matrix(x, {.gamma = gamma}), gamma) < 2e-5);
        CHECK(kernel_error(x, x, rbf_of(squared_distances(x, {.gamma = gamma}), gamma), gamma) <
              2e-5);
      }
}

TEST_CASE("distances: wild ranges are done in f64") {
  CHECK_FALSE(needs_f64(1, 100));
  CHECK(needs_f64(1, 200));
  Tensor x = random_features({40, 13}, 1, 0, 3);
  for (int64_t i = 0; i < 40; ++i) x.data()[i * 13] *= 1000;
  CHECK(kernel_error(x, x, rbf_of(squared_distances(x, {.gamma = 1.0 / 13}), 1.0 / 13), 1.0 / 13) <
        1e-6);
}

TEST_CASE("distances: symmetric, zero on the diagonal, never negative, finite") {
  const Tensor x = random_features({300, 5}, 1, 50, 4);
  const Tensor distances = squared_distances(x).values;
  bool symmetric = true, diagonal = true, negative = false;
  for (int64_t i = 0; i < 300; ++i) {
    diagonal &= distances.data()[i * 301] == 0;
    for (int64_t j = 0; j < 300; ++j) {
      symmetric &= distances.data()[i * 300 + j] == distances.data()[j * 300 + i];
      negative |= distances.data()[i * 300 + j] < 0;
    }
  }
  CHECK(symmetric);
  CHECK(diagonal);
  CHECK_FALSE(negative);
  Tensor huge({2, 2});
  huge.data()[0] = 3e38f;
  huge.data()[2] = -3e38f;
  CHECK(std::isfinite(squared_distances(huge).values.data()[1]));
  CHECK(kernel_matrix(huge, KernelOptions{}).data()[1] == 0);
  CHECK_THROWS_AS(kernel_matrix(huge, {.type = KernelType::linear}), Error);
}

TEST_CASE("distances: shapes that do not fit, other dtypes and the budget are refused") {
  CHECK_THROWS_AS(kernel_matrix(Tensor({2, 3}), Tensor({2, 4}), {}), Error);
  CHECK_THROWS_AS(squared_distances(Tensor({2})), Error);
  CHECK_THROWS_AS(squared_distances(Tensor({2, 2}, DType::f64)), Error);
  CHECK_THROWS_AS(squared_distances(Tensor({10, 2}), {.budget_bytes = 399}), Error);
}

TEST_CASE("scaler: every block to mean 0 and variance 1, then weighted") {
  Tensor x = random_features({50, 4}, 3, 7, 5);
  for (int64_t i = 0; i < 50; ++i) x.data()[i * 4 + 2] = 0.1f;  // never varies
  const BlockScaler scaler = fit_scaler(x, {{"a", 0, 1}, {"b", 1, 3}});
  const std::vector<double> weights{0.25, 0.5};
  const Tensor scaled = apply_scaler(scaler, x, weights);
  for (int64_t j = 0; j < 4; ++j) {
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < 50; ++i) mean += scaled.data()[i * 4 + j] / 50;
    for (int64_t i = 0; i < 50; ++i) variance += std::pow(scaled.data()[i * 4 + j] - mean, 2) / 50;
    const double weight = j == 0 ? 0.25 : 0.5;
    CHECK(std::abs(mean) < 1e-6);
    CHECK(variance == doctest::Approx(j == 2 ? 0 : weight * weight));
  }
  CHECK(scaled.data()[2] == 0);
  CHECK(scaler.factor[2] == 0);
  CHECK(gamma_scale(scaler, weights) == doctest::Approx(1 / (0.0625 + 2 * 0.25)));
  CHECK(gamma_scale(scaler) == doctest::Approx(1.0 / 3));
}

TEST_CASE("scaler: none keeps, minmax hits its ends, wrong blocks are refused") {
  const Tensor x = Tensor::of<float>(std::vector<float>{1, 5, 3, 5, 2, 5}, {3, 2});
  const Tensor same = apply_scaler(fit_scaler(x, {{"all", 0, 2}}, {.mode = ScaleMode::none}), x);
  CHECK(std::equal(x.values().begin(), x.values().end(), same.values().begin()));
  const Tensor ends = apply_scaler(
      fit_scaler(x, {{"all", 0, 2}}, {.mode = ScaleMode::minmax, .lower = 0, .upper = 2}), x);
  CHECK(ends.data()[0] == 0);
  CHECK(ends.data()[2] == 2);
  CHECK(ends.data()[4] == 1);
  CHECK(ends.data()[1] == 0);
  CHECK(gamma_scale(fit_scaler(Tensor({3, 2}), {{"all", 0, 2}})) == 1);
  using Blocks = std::vector<FeatureBlock>;
  for (const Blocks& blocks :
       {Blocks{}, Blocks{{"a", 0, 1}}, Blocks{{"a", 0, 3}}, Blocks{{"a", 1, 1}},
        Blocks{{"a", 0, 0}, {"b", 0, 2}}, Blocks{{"a", 0, 1}, {"b", 0, 1}}})
    CHECK_THROWS_AS(fit_scaler(x, blocks), Error);
  const BlockScaler scaler = fit_scaler(x, {{"all", 0, 2}});
  CHECK_THROWS_AS(apply_scaler(scaler, Tensor({1, 3})), Error);
  CHECK_THROWS_AS(apply_scaler(scaler, x, std::vector<double>{1, 2}), Error);
}
