#include "limbic/svm/svr.h"

#include <doctest/doctest.h>

#include <cmath>

#include "limbic/core/random.h"
#include "limbic/svm/cross_validation.h"
#include "tests/svm/golden.h"

using namespace limbic;
using namespace limbic::svm;
using namespace limbic::testing;

namespace {

struct Curve {
  Tensor x{{120, 2}};
  std::vector<double> targets;
};

Curve make_curve() {
  Curve out;
  Random random(8);
  for (int64_t i = 0; i < 120; ++i) {
    const double a = random.uniform(-3, 3), b = random.normal();
    out.x.data()[2 * i] = static_cast<float>(a);
    out.x.data()[2 * i + 1] = static_cast<float>(b);
    out.targets.push_back(std::sin(a) + 0.3 * b + 0.05 * random.normal());
  }
  return out;
}

}  // namespace

TEST_CASE("svr: the optimum of the textbook: errors beyond epsilon at bounded samples alone") {
  const Curve curve = make_curve();
  for (KernelType kernel : {KernelType::rbf, KernelType::linear, KernelType::polynomial}) {
    const SvrOptions options{.C = 2, .epsilon = 0.1, .kernel = kernel, .eps = 1e-6};
    const SvrModel model = train_svr(curve.x, curve.targets, options);
    REQUIRE(model.converged);
    const std::vector<double> predicted = predict(model, curve.x);
    std::vector<double> coef(curve.targets.size(), 0.0);
    for (size_t s = 0; s < model.coef.size(); ++s)
      coef[static_cast<size_t>(model.support_indices[s])] = model.coef[s];
    double sum = 0, objective = 0;  // 1/2 coef' K coef + epsilon |coef| - targets' coef
    for (size_t i = 0; i < coef.size(); ++i) {
      const double error = curve.targets[i] - predicted[i];
      sum += coef[i];
      objective += coef[i] * (0.5 * (predicted[i] + model.rho) - curve.targets[i]) +
                   options.epsilon * std::abs(coef[i]);
      if (coef[i] == 0) CHECK(std::abs(error) <= 0.1 + 1e-4);
      if (coef[i] > 0) CHECK(error >= 0.1 - 1e-4);
      if (coef[i] < 0) CHECK(error <= -0.1 + 1e-4);
      if (coef[i] != 0 && std::abs(coef[i]) < 2) CHECK(std::abs(std::abs(error) - 0.1) < 1e-4);
    }
    CHECK(std::abs(sum) < 1e-9);
    CHECK(model.objective == doctest::Approx(objective).epsilon(1e-4));
  }
}

TEST_CASE("svr: cached rows, its file and cross-validation") {
  const Curve curve = make_curve();
  SvrOptions options{.C = 2, .eps = 1e-6};
  const SvrModel model = train_svr(curve.x, curve.targets, options);
  options.budget_bytes = 4000;
  const SvrModel cached = train_svr(curve.x, curve.targets, options);
  CHECK(cached.objective == doctest::Approx(model.objective).epsilon(1e-6));
  const std::string path = temporary("svr");
  write_svm_model(path, model);
  const auto read = std::get<SvrModel>(read_any_svm_model(path));
  const auto a = predict(model, curve.x), b = predict(read, curve.x);
  for (size_t i = 0; i < a.size(); ++i) CHECK(a[i] == doctest::Approx(b[i]).epsilon(1e-9));
  const auto score =
      score_regression(curve.targets, cross_validate(curve.x, curve.targets, options, 5, 0));
  CHECK(score.mean_squared_error < 0.05);
  CHECK(score.squared_correlation > 0.9);
}

TEST_CASE("svr: the scale of errors is that of held-out rows, and stands in the file as probA") {
  const Curve curve = make_curve();
  SvrOptions options{.C = 2, .epsilon = 0.02};
  CHECK_FALSE(train_svr(curve.x, curve.targets, options).error_scale);
  options.fit_error = true;
  const SvrModel model = train_svr(curve.x, curve.targets, options);
  const auto held_out = cross_validate(curve.x, curve.targets, options, 5, 0);
  // Lin and Weng: the mean absolute error, rows beyond five standard deviations left out.
  double mean = 0, sum = 0;
  int kept = 0;
  for (size_t i = 0; i < 120; ++i) mean += std::abs(held_out[i] - curve.targets[i]) / 120;
  for (size_t i = 0; i < 120; ++i) {
    const double error = std::abs(held_out[i] - curve.targets[i]);
    if (error <= 5 * std::sqrt(2.0) * mean) sum += error, ++kept;
  }
  CHECK(model.error_scale.value() == doctest::Approx(sum / kept).epsilon(1e-9));
  const std::string path = temporary("svr");
  write_svm_model(path, model);
  CHECK(std::get<SvrModel>(read_any_svm_model(path)).error_scale == model.error_scale);
}

TEST_CASE("svr: all folds of a cross-validation share the gamma of all rows, and are shuffled") {
  const Curve curve = make_curve();
  for (GammaRule rule : {GammaRule::scale, GammaRule::automatic}) {
    const SvrOptions by_rule{.C = 2, .gamma_rule = rule},
        given{.C = 2, .gamma_rule = GammaRule::value, .gamma = choose_gamma(curve.x, rule, 0)};
    CHECK(cross_validate(curve.x, curve.targets, by_rule, 5, 0) ==
          cross_validate(curve.x, curve.targets, given, 5, 0));
    CHECK(cross_validate(curve.x, curve.targets, by_rule, 5, 0) !=
          cross_validate(curve.x, curve.targets, by_rule, 5, 1));
  }
}

TEST_CASE("svr and svc: what is not asked for is LIBSVM's") {
  const SvrOptions r;
  CHECK(r.C == 1);
  CHECK(r.epsilon == 0.1);
  CHECK(r.degree == 3);
  CHECK(r.coef0 == 0);
  CHECK(r.eps == 1e-3);
  CHECK(r.shrinking);
  const SvcOptions c;
  CHECK(c.C == 1);
  CHECK(c.degree == 3);
  CHECK(c.coef0 == 0);
  CHECK(c.eps == 1e-3);
  CHECK(c.shrinking);
  CHECK_FALSE(c.pairwise_probability);
}

TEST_CASE("svr: bad data and options are refused") {
  Curve curve = make_curve();
  CHECK_THROWS_AS(train_svr(curve.x, curve.targets, {.C = 0}), Error);
  CHECK_THROWS_AS(train_svr(curve.x, curve.targets, {.epsilon = -1}), Error);
  curve.targets[3] = NAN;
  CHECK_THROWS_AS(train_svr(curve.x, curve.targets, {}), Error);
  curve.targets.pop_back();
  CHECK_THROWS_AS(train_svr(curve.x, curve.targets, {}), Error);
}
