// Multiplying features by a power of two is exact, so with gamma to match it may change nothing;
// and what is said of a row may not depend on the rows beside it.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "limbic/core/random.h"
#include "limbic/svm/block_distances.h"
#include "limbic/svm/svr.h"
#include "limbic/svm/sweep.h"

using namespace limbic;
using namespace limbic::svm;

namespace {

constexpr int exponents[] = {-80, -70, -61, -40, -19, -1, 0, 3, 21, 40, 60, 66};

struct Set {
  Tensor x{{150, 7}};
  std::vector<int> labels;
};

// Three noisy classes; `offset` moves all of them away from 0, so that f32 wants another origin,
// and `wild` widens a column, so that it wants f64.
Set make_set(double offset, double wild) {
  Set out;
  Random random(11);
  for (int64_t i = 0; i < 150; ++i) {
    out.labels.push_back(static_cast<int>(i % 3));
    for (int64_t j = 0; j < 7; ++j)
      out.x.data()[i * 7 + j] = static_cast<float>(
          (offset + random.normal() + (j == i % 3 ? 1.5 : 0.0)) * (j == 6 ? wild : 1.0));
  }
  return out;
}

Tensor times(const Tensor& x, int exponent) {
  Tensor out(x.shape());
  for (int64_t i = 0; i < x.size(); ++i) out.data()[i] = std::ldexp(x.data()[i], exponent);
  return out;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() &&
         std::memcmp(a.raw(), b.raw(), static_cast<size_t>(a.bytes())) == 0;
}

}  // namespace

TEST_CASE("scaling by powers of two changes no decision, label or kernel value") {
  for (const auto& [offset, wild] :
       {std::pair{0.0, 1.0}, std::pair{50.0, 1.0}, std::pair{0.0, 3000.0}}) {
    const Set set = make_set(offset, wild);
    const double gamma = 0.1;
    const auto at = [&](int exponent) {
      return SvcOptions{.gamma_rule = GammaRule::value, .gamma = std::ldexp(gamma, -2 * exponent)};
    };
    const SvcModel plain = train_svc(set.x, set.labels, at(0));
    const Tensor decisions = decision_values(plain, set.x);
    const SvrModel regression =
        train_svr(set.x, std::vector<double>(set.labels.begin(), set.labels.end()),
                  {.gamma_rule = GammaRule::value, .gamma = gamma});
    const auto values = predict(regression, set.x);
    for (int exponent : exponents) {
      const auto& which = offset;  // clang 14 cannot capture a structured binding
      CAPTURE(which);
      CAPTURE(exponent);
      const Tensor x = times(set.x, exponent);
      const SvcModel model = train_svc(x, set.labels, at(exponent));
      CHECK(model.support_indices == plain.support_indices);
      CHECK(same_bits(decision_values(model, x), decisions));
      // gamma by the rule follows the features.
      CHECK(choose_gamma(x, GammaRule::scale, 0) ==
            std::ldexp(choose_gamma(set.x, GammaRule::scale, 0), -2 * exponent));
      const SvrModel other =
          train_svr(x, std::vector<double>(set.labels.begin(), set.labels.end()),
                    {.gamma_rule = GammaRule::value, .gamma = std::ldexp(gamma, -2 * exponent)});
      CHECK(predict(other, x) == values);
    }
  }
}

TEST_CASE("scaling by powers of two changes no block distance and no cell of a sweep") {
  const Set a = make_set(0, 1), b = make_set(20, 1);
  std::vector<int> fold;
  for (int i = 0; i < 150; ++i) fold.push_back(i % 4);
  const auto cells = [&](int exponent, int64_t budget) {
    const std::vector<Tensor> blocks = {times(a.x, exponent), times(b.x, exponent)};
    SweepOptions options{.kernels = {{{0.25, 0.75}, std::ldexp(0.2, -2 * exponent)},
                                     {{1, 0}, std::ldexp(0.02, -2 * exponent)}},
                         .C = {1, 4},
                         .fold = fold,
                         .svc = {}};
    options.svc.budget_bytes = budget;
    std::vector<std::vector<int>> out;
    sweep(blocks, a.labels, options, [&](const SweepCell& c) { out.push_back(c.predicted); });
    return out;
  };
  const auto kernel = [&](int exponent) {
    const std::vector<Tensor> blocks = {times(a.x, exponent), times(b.x, exponent)};
    const double gamma = std::ldexp(0.2, -2 * exponent);
    return BlockDistances(blocks, {.gamma = gamma}).rbf(std::vector<double>{0.5, 0.5}, gamma);
  };
  for (int exponent : exponents) {
    CAPTURE(exponent);
    CHECK(same_bits(kernel(exponent), kernel(0)));
    CHECK(cells(exponent, int64_t{1} << 30) == cells(0, int64_t{1} << 30));
    CHECK(cells(exponent, 20'000) == cells(0, 20'000));
  }
  // Blocks of very different units side by side are each as good as alone.
  const std::vector<Tensor> mixed = {times(a.x, -70), times(b.x, 60)}, plain = {a.x, b.x};
  const std::vector<double> weights{std::ldexp(0.5, 70), std::ldexp(0.5, -60)}, same{0.5, 0.5};
  const Tensor of_mixed = BlockDistances(mixed, {.gamma = std::ldexp(0.2, 140)}).rbf(weights, 0.2),
               of_plain = BlockDistances(plain, {.gamma = 0.2}).rbf(same, 0.2);
  for (int64_t i = 0; i < of_plain.size(); ++i)
    CHECK(std::abs(of_mixed.data()[i] - of_plain.data()[i]) < 1e-5f);
}

TEST_CASE("a row's decisions do not depend on the rows beside it, however wild these are") {
  for (const auto& [offset, wild] :
       {std::pair{0.0, 1.0}, std::pair{50.0, 1.0}, std::pair{0.0, 3000.0}})
    for (double C : {1.0, 1e3}) {
      const Set set = make_set(offset, wild);
      const SvcModel model =
          train_svc(set.x, set.labels, {.C = C, .gamma_rule = GammaRule::value, .gamma = 0.1});
      const Tensor alone = decision_values(model, set.x);
      for (float beside : {1000.0f, 1e30f, 3e38f, 1e-40f}) {
        CAPTURE(beside);
        std::vector<float> more(set.x.values().begin(), set.x.values().end());
        more.insert(more.end(), 7, beside);
        const Tensor together = decision_values(model, Tensor::of(more, {151, 7}));
        CHECK(same_bits(together.rows(0, 150), alone));
        for (double value : together.values<double>()) CHECK(std::isfinite(value));
        for (int64_t i = 0; i < 150; i += 37) {  // alone, BLAS may round otherwise
          const Tensor one = decision_values(model, set.x.rows(i, i + 1));
          for (int64_t p = 0; p < 3; ++p)
            CHECK(one.data<double>()[p] ==
                  doctest::Approx(alone.data<double>()[i * 3 + p]).epsilon(1e-5 * C));
        }
        // Far from all support vectors the kernel is 0.
        if (beside > 1)
          for (size_t p = 0; p < 3; ++p)
            CHECK(together.data<double>()[150 * 3 + static_cast<int64_t>(p)] == -model.rho[p]);
      }
    }
}

TEST_CASE("linear and polynomial kernels whose values f32 cannot hold are refused, not made 0") {
  const Set set = make_set(0, 1);
  for (KernelType kernel : {KernelType::linear, KernelType::polynomial}) {
    const SvcOptions options{
        .kernel = kernel, .gamma_rule = GammaRule::value, .gamma = 1, .max_iterations = 1000};
    CHECK_THROWS_WITH_AS(train_svc(times(set.x, -80), set.labels, options),
                         doctest::Contains("underflow"), Error);
    CHECK_THROWS_WITH_AS(train_svc(times(set.x, 66), set.labels, options),
                         doctest::Contains("overflow"), Error);
  }
}
