#include "limbic/svm/kernel.h"

#include <doctest/doctest.h>

#include <cmath>

#include "limbic/core/random.h"
#include "limbic/svm/exponential.h"
#include "limbic/svm/kernel_rows.h"
#include "tests/svm/golden.h"

using namespace limbic;
using namespace limbic::svm;
using namespace limbic::testing;

namespace {

Tensor random_tensor(Shape shape) {
  Tensor out(std::move(shape));
  Random random(4);
  for (float& value : out.values()) value = static_cast<float>(random.normal());
  return out;
}

// LIBSVM's layout: a sample's number, then its kernel values with all.
Tensor numbered(const Tensor& kernel) {
  const int64_t n = kernel.dim(0);
  Tensor out({n, n + 1});
  for (int64_t i = 0; i < n; ++i) {
    out.data()[i * (n + 1)] = static_cast<float>(i + 1);
    std::copy_n(kernel.data() + i * n, n, out.data() + i * (n + 1) + 1);
  }
  return out;
}

}  // namespace

TEST_CASE("kernel: the exponential is right to 2 units in the last place, and 0 far below") {
  double worst = 0;
  for (float x = 0; x > -87; x -= 0.0037f)
    worst = std::max(worst, std::abs(double{exp_of_negative(x)} / std::exp(double{x}) - 1));
  CHECK(worst < 0x1p-22);
  CHECK(exp_of_negative(0) == 1);
  CHECK(exp_of_negative(-1e30f) == 0);
  CHECK(exp_of_negative(-INFINITY) == 0);
}

TEST_CASE("kernel: polynomials by their definition") {
  const Tensor x = random_tensor({30, 7}), y = random_tensor({4, 7});
  for (int degree : {0, 1, 2, 3, 5}) {
    const KernelOptions options{
        .type = KernelType::polynomial, .gamma = 0.3, .coef0 = -0.5, .degree = degree};
    const Tensor k = kernel_matrix(x, y, options);
    for (int64_t i = 0; i < 30; ++i)
      for (int64_t j = 0; j < 4; ++j) {
        double product = 0;
        for (int64_t c = 0; c < 7; ++c)
          product += double{x.data()[i * 7 + c]} * double{y.data()[j * 7 + c]};
        CHECK(k.data()[i * 4 + j] ==
              doctest::Approx(std::pow(0.3 * product - 0.5, degree)).epsilon(1e-4));
      }
  }
}

TEST_CASE("kernel: cached rows equal the whole matrix, with any budget") {
  const Tensor x = random_tensor({200, 9});
  std::vector<int64_t> samples;
  for (int64_t i = 3; i < 190; i += i % 5 == 0 ? 30 : 1) samples.push_back(i);
  for (KernelType type : {KernelType::rbf, KernelType::linear, KernelType::polynomial}) {
    const KernelOptions options{.type = type, .gamma = 0.1};
    const Tensor whole = kernel_matrix(x, options);
    const SampleKernel kernel(x, options);
    for (int64_t budget : {0, 20'000, 10'000'000}) {
      CachedRows rows(kernel, samples, budget);
      Random random(1);
      double worst = 0;
      for (int round = 0; round < 500; ++round) {
        const int64_t t = random.below(std::ssize(samples));
        const float* row = rows.row(t);
        for (size_t s = 0; s < samples.size(); ++s)
          worst = std::max(
              worst,
              std::abs(double{row[s]} -
                       double{whole.data()[samples[static_cast<size_t>(t)] * 200 + samples[s]]}));
        CHECK(rows.diagonal(t) == doctest::Approx(row[t]).epsilon(1e-5));
      }
      CHECK(worst < 1e-4);
      if (budget > 1'000'000) CHECK(rows.computed() <= std::ssize(samples));
    }
  }
}

TEST_CASE("kernel: precomputed values train and predict what the kernel itself does") {
  const Golden golden("iris");
  const SvcModel direct = train_svc(golden.data.x, golden.data.labels, golden.options);
  const Tensor x = numbered(kernel_matrix(golden.data.x, {.gamma = golden.options.gamma}));
  SvcOptions options = golden.options;
  options.kernel = KernelType::precomputed;
  const SvcModel model = train_svc(x, golden.data.labels, options);
  CHECK(model.features() == 1);
  CHECK(model.support_indices == direct.support_indices);
  for (size_t p = 0; p < model.rho.size(); ++p)
    CHECK(model.rho[p] == doctest::Approx(direct.rho[p]).epsilon(1e-6));
  CHECK(predict(model, x) == predict(direct, golden.data.x));
  const std::string path = temporary("precomputed");
  write_svm_model(path, model);
  CHECK(predict(read_svm_model(path), x) == predict(model, x));
  Tensor bad = x.clone();
  bad.data()[2] += 1;  // K(0,1) but not K(1,0)
  CHECK_THROWS_AS(train_svc(bad, golden.data.labels, options), Error);
  bad = x.clone();
  bad.data()[0] = 0.5f;  // no number of a sample
  CHECK_THROWS_AS(train_svc(bad, golden.data.labels, options), Error);
}
