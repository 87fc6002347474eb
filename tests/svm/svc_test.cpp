#include "limbic/svm/svc.h"

#include <doctest/doctest.h>

#include <cmath>
#include <numeric>

#include "limbic/core/random.h"
#include "limbic/svm/scaler.h"
#include "tests/svm/golden.h"

using namespace limbic;
using namespace limbic::svm;
using namespace limbic::testing;

namespace {

// `classes` Gaussian clouds whose centres are `distance` apart, d features, labels 10, 11, ...
SvmData clouds(int classes, int64_t rows, double distance, uint64_t seed = 1) {
  constexpr int64_t d = 6;
  Random random(seed);
  SvmData out{Tensor({rows, d}), {}};
  for (int64_t i = 0; i < rows; ++i) {
    const auto label = static_cast<int>(i % classes);
    out.labels.push_back(10 + label);
    for (int64_t j = 0; j < d; ++j)
      out.x.data()[i * d + j] = static_cast<float>(random.normal() + (j == label ? distance : 0));
  }
  return out;
}

std::string error_of(const Tensor& x, const std::vector<int>& labels, const SvcOptions& options) {
  try {
    train_svc(x, labels, options);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

void check_same_decisions(const Tensor& got, const std::vector<std::vector<double>>& expected,
                          double tolerance) {
  REQUIRE(got.dim(0) == std::ssize(expected));
  double largest = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    REQUIRE(got.dim(1) == std::ssize(expected[i]));
    for (size_t p = 0; p < expected[i].size(); ++p)
      largest = std::max(
          largest,
          std::abs(
              got.data<double>()[static_cast<int64_t>(i) * got.dim(1) + static_cast<int64_t>(p)] -
              expected[i][p]));
  }
  CHECK(largest < tolerance);
}

}  // namespace

TEST_CASE("svc: LIBSVM's optimum: objective, rho, support vectors, decisions, labels") {
  for (const std::string name : golden_cases) {
    CAPTURE(name);
    const Golden golden(name);
    const SvcModel model = train_svc(golden.data.x, golden.data.labels, golden.options);
    CHECK(model.converged());
    CHECK(model.classes == golden.model.classes);
    REQUIRE(model.rho.size() == golden.model.rho.size());
    for (size_t p = 0; p < model.rho.size(); ++p) {
      CAPTURE(p);
      CHECK(model.pairs[p].objective == doctest::Approx(golden.objective[p]).epsilon(1e-4));
      CHECK(std::abs(model.rho[p] - golden.model.rho[p]) < 1e-3);
    }
    // Rows that are there many times share their alpha in more ways than one.
    const int64_t slack = name == "contradictory" ? 3 : 1;
    for (size_t c = 0; c < model.n_sv.size(); ++c) {
      CAPTURE(c);
      CHECK(std::abs(model.n_sv[c] - golden.model.n_sv[c]) <= slack);
    }
    const Tensor x = golden.checked_rows();
    check_same_decisions(decision_values(model, x), golden.decisions, 1e-3);
    CHECK(predict(model, x) == golden.labels);
  }
}

TEST_CASE("svc: LIBSVM's own model gives LIBSVM's decisions") {
  for (const std::string name : golden_cases) {
    CAPTURE(name);
    const Golden golden(name);
    const Tensor x = golden.checked_rows();
    check_same_decisions(decision_values(golden.model, x), golden.decisions, 1e-4);
    CHECK(predict(golden.model, x) == golden.labels);
  }
}

TEST_CASE("svc: shrinking changes nothing, over more rows than one block of distances") {
  const SvmData data = clouds(3, 700, 1.0);
  const SvcOptions tight{.C = 5, .eps = 1e-5};
  SvcOptions plain = tight;
  plain.shrinking = false;
  const SvcModel a = train_svc(data.x, data.labels, tight),
                 b = train_svc(data.x, data.labels, plain);
  for (size_t p = 0; p < a.rho.size(); ++p) {
    CHECK(a.pairs[p].objective == doctest::Approx(b.pairs[p].objective).epsilon(1e-6));
    CHECK(std::abs(a.rho[p] - b.rho[p]) < 1e-4);
  }
}

TEST_CASE("svc: a matrix over budget gives the same model from cached rows") {
  const SvmData data = clouds(3, 300, 1.0);
  SvcOptions options{.C = 5, .eps = 1e-5, .calibration_folds = 3};
  options.pairwise_probability = true;
  const SvcModel whole = train_svc(data.x, data.labels, options);
  for (int64_t budget : {int64_t{4} * 300 * 300 - 1, int64_t{60'000}, int64_t{0}})
    for (bool shrinking : {true, false}) {
      CAPTURE(budget);
      options.budget_bytes = budget;
      options.shrinking = shrinking;
      const SvcModel cached = train_svc(data.x, data.labels, options);
      for (size_t p = 0; p < whole.rho.size(); ++p) {
        CHECK(cached.pairs[p].objective == doctest::Approx(whole.pairs[p].objective).epsilon(1e-6));
        CHECK(std::abs(cached.rho[p] - whole.rho[p]) < 1e-4);
        CHECK(cached.prob_a[p] == doctest::Approx(whole.prob_a[p]).epsilon(1e-3));
      }
      CHECK(cached.temperature == doctest::Approx(whole.temperature).epsilon(1e-3));
    }
}

TEST_CASE("svc: probabilities add up to 1 and their largest is the label") {
  for (const std::string name : golden_cases) {
    CAPTURE(name);
    Golden golden(name);
    golden.options.calibration_folds = 3;
    const SvcModel model = train_svc(golden.data.x, golden.data.labels, golden.options);
    const auto labels = predict(model, golden.data.x);
    for (double temperature : {model.temperature, 0.02, 50.0}) {
      SvcModel other = model;
      other.temperature = temperature;
      const Tensor p = probabilities(other, golden.data.x);
      const int64_t k = p.dim(1);
      int wrong = 0;
      for (int64_t i = 0; i < p.dim(0); ++i) {
        const double* row = p.data<double>() + i * k;
        CHECK(std::accumulate(row, row + k, 0.0) == doctest::Approx(1));
        wrong += model.classes[static_cast<size_t>(std::max_element(row, row + k) - row)] !=
                 labels[static_cast<size_t>(i)];
      }
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("svc: a tie of votes goes to the first class, in probabilities too") {
  // Three classes that beat each other in a circle.
  SvcModel model;
  model.classes = {5, 3, 9};
  model.n_sv = {1, 0, 0};
  model.support_vectors = Tensor({1, 1});
  model.dual_coef = Tensor({2, 1}, DType::f64);
  model.rho = {-0.1, 2, -3};  // 5 beats 3 narrowly, 9 beats 5 clearly, 3 beats 9 clearly
  const Tensor x({1, 1});
  CHECK(predict(model, x) == std::vector<int>{5});
  const Tensor p = probabilities(model, x);
  CHECK(p.data<double>()[0] > p.data<double>()[1]);
  CHECK(p.data<double>()[0] > p.data<double>()[2]);
}

TEST_CASE("svc: the temperature tells separable classes from mixed ones, and is repeatable") {
  SvcOptions options{.calibration_folds = 4, .seed = 3};
  const SvmData apart = clouds(4, 160, 6), mixed = clouds(4, 160, 0.5);
  const SvcModel sure = train_svc(apart.x, apart.labels, options),
                 unsure = train_svc(mixed.x, mixed.labels, options);
  CHECK(sure.temperature < unsure.temperature);
  CHECK(unsure.temperature == train_svc(mixed.x, mixed.labels, options).temperature);
}

TEST_CASE("svc: labels 1 and -1 keep LIBSVM's order, others the order of appearance") {
  SvmData data = clouds(2, 40, 3);
  for (int& label : data.labels) label = label == 10 ? -1 : 1;
  CHECK(train_svc(data.x, data.labels).classes == std::vector<int>{1, -1});
  for (int& label : data.labels) label = label == -1 ? 8 : 2;
  CHECK(train_svc(data.x, data.labels).classes == std::vector<int>{8, 2});
}

TEST_CASE("svc: rows that are all equal still give a model that predicts the majority") {
  const Tensor x({9, 4});
  const std::vector<int> labels{1, 1, 1, 1, 1, 1, 2, 2, 2};
  const SvcModel model = train_svc(x, labels);
  CHECK(model.gamma == 1);
  CHECK(model.converged());
  CHECK(predict(model, x) == std::vector<int>(9, 1));
}

TEST_CASE("svc: bad data and bad options are refused with what was wrong") {
  const SvmData data = clouds(3, 30, 2);
  Tensor x = data.x.clone();
  x.data()[2 * 6 + 4] = NAN;
  CHECK(error_of(x, data.labels, {}).find("row 2, column 4") != std::string::npos);
  x.data()[2 * 6 + 4] = INFINITY;
  CHECK(error_of(x, data.labels, {}).find("is inf") != std::string::npos);
  const auto refused = [&](const SvcOptions& options, const char* part) {
    const std::string error = error_of(data.x, data.labels, options);
    INFO(error);
    CHECK(error.find(part) != std::string::npos);
  };
  for (double bad : {0.0, -1.0, double{NAN}, double{INFINITY}}) {
    if (bad != INFINITY) refused({.C = bad}, "expected C > 0");
    refused({.gamma_rule = GammaRule::value, .gamma = bad}, "expected gamma > 0");
    refused({.eps = bad}, "expected eps > 0");
    refused({.class_weight = {{10, bad}}}, "class 10");
  }
  refused({.class_weight = {{99, 1.0}}}, "class 99");
  refused({.calibration_folds = 1}, "calibration folds");
  CHECK(error_of(data.x, std::vector<int>(30, 4), {}).find("have the label 4") !=
        std::string::npos);
  CHECK(error_of(data.x, {1, 2}, {}).find("30 rows but 2 labels") != std::string::npos);
  CHECK(error_of(Tensor({0, 4}), {}, {}).find("no data") != std::string::npos);
  const SvcModel model = train_svc(data.x, data.labels);
  CHECK_THROWS_AS(predict(model, Tensor({1, 5})), Error);
  CHECK_THROWS_AS(predict(model, x), Error);
  CHECK(predict(model, Tensor({0, 6})).empty());
}

TEST_CASE("svc: extreme C and gamma, lone, equal and contradictory rows end with a model") {
  const SvmData data = clouds(3, 60, 1);
  for (double C : {1e-30, 1e30})
    for (double gamma : {1e-30, 1e30}) {
      CAPTURE(C);
      CAPTURE(gamma);
      const SvcModel model = train_svc(
          data.x, data.labels,
          {.C = C, .gamma_rule = GammaRule::value, .gamma = gamma, .max_iterations = 20'000});
      CHECK(predict(model, data.x).size() == 60);
      const Tensor decisions = decision_values(model, data.x);
      for (double value : decisions.values<double>()) CHECK(std::isfinite(value));
    }
  // Where the kernel is 1 on the diagonal alone, every alpha is 1, however large C is.
  for (double C : {1.0, 1e30}) {
    const SvcModel model =
        train_svc(data.x, data.labels, {.C = C, .gamma_rule = GammaRule::value, .gamma = 1e30});
    CHECK(model.converged());
    CHECK(model.support_vectors.dim(0) == 60);
    for (const PairReport& pair : model.pairs) CHECK(pair.n_bounded == (C == 1 ? 40 : 0));
  }
  SvmData lone = clouds(2, 21, 3);  // a class of one row
  for (size_t i = 0; i < 21; ++i) lone.labels[i] = i == 4 ? 1 : 0;
  SvcOptions options{.calibration_folds = 3};
  options.pairwise_probability = true;
  const SvcModel model = train_svc(lone.x, lone.labels, options);
  CHECK(model.converged());
  const Tensor p = pairwise_probabilities(model, lone.x);
  for (double value : p.values<double>()) CHECK((value > 0 && value < 1));
  // The same row under both labels.
  const Tensor twice = Tensor::of<float>(std::vector<float>{1, 2, 1, 2, 1, 2, 1, 2}, {4, 2});
  CHECK(predict(train_svc(twice, std::vector<int>{1, 2, 1, 2}), twice).size() == 4);
}

TEST_CASE("svc: LIBSVM's probabilities add up to 1, are repeatable and mostly agree with votes") {
  const SvmData data = clouds(4, 240, 3);
  SvcOptions options{.seed = 2};
  options.pairwise_probability = true;
  const SvcModel model = train_svc(data.x, data.labels, options);
  CHECK(model.prob_a == train_svc(data.x, data.labels, options).prob_a);
  const Tensor p = pairwise_probabilities(model, data.x);
  const auto labels = predict(model, data.x);
  int agree = 0;
  for (int64_t i = 0; i < 240; ++i) {
    const double* row = p.data<double>() + 4 * i;
    CHECK(std::accumulate(row, row + 4, 0.0) == doctest::Approx(1));
    agree += model.classes[static_cast<size_t>(std::max_element(row, row + 4) - row)] ==
             labels[static_cast<size_t>(i)];
  }
  CHECK(agree > 230);
  CHECK_THROWS_AS(pairwise_probabilities(train_svc(data.x, data.labels), data.x), Error);
}

TEST_CASE("svc: an iteration cap is reported, not printed") {
  const SvmData data = clouds(2, 60, 0.2);
  const SvcModel model = train_svc(data.x, data.labels, {.max_iterations = 3});
  CHECK_FALSE(model.converged());
  CHECK(model.pairs[0].iterations == 3);
}

TEST_CASE("svc: under gamma scale, alpha = 1/2 equals beta = 2/3") {
  const SvmData train = clouds(4, 120, 1.5), test = clouds(4, 200, 1.5, 2);
  const BlockScaler scaler = fit_scaler(train.x, {{"x1", 0, 2}, {"x2", 2, 1}, {"s", 3, 3}});
  const auto decisions = [&](std::vector<double> weights) {
    const Tensor x = apply_scaler(scaler, train.x, weights);
    const SvcModel model = train_svc(x, train.labels, {.C = 1.5});
    CHECK(model.gamma == doctest::Approx(gamma_scale(scaler, weights)).epsilon(1e-5));
    return decision_values(model, apply_scaler(scaler, test.x, weights));
  };
  const double a = 1.0 / 2, b = 2.0 / 3;
  const Tensor by_alpha = decisions({a, 1 - a, 1}), by_beta = decisions({1 - b, 1 - b, b});
  const SvcModel classes = train_svc(train.x, train.labels);
  CHECK(vote(classes, by_alpha) == vote(classes, by_beta));
  for (int64_t i = 0; i < by_alpha.size(); ++i)
    CHECK(std::abs(by_alpha.data<double>()[i] - by_beta.data<double>()[i]) < 2e-3);
  const Tensor other = decisions({0.25, 0.75, 1});
  CHECK(vote(classes, other) != vote(classes, by_alpha));
}

TEST_CASE("svc: standardising after fusion cancels alpha, standardising per block keeps it") {
  const SvmData train = clouds(4, 120, 1.5), test = clouds(4, 200, 1.5, 2);
  const std::vector<FeatureBlock> blocks = {{"x1", 0, 2}, {"x2", 2, 1}, {"s", 3, 3}};
  const BlockScaler unscaled = fit_scaler(train.x, blocks, {.mode = ScaleMode::none});
  const BlockScaler per_block = fit_scaler(train.x, blocks);
  const auto labels = [&](const BlockScaler& before, bool after, double alpha) {
    const std::vector<double> weights = {alpha, 1 - alpha, 1};
    Tensor x = apply_scaler(before, train.x, weights), y = apply_scaler(before, test.x, weights);
    if (after) {
      const BlockScaler scaler = fit_scaler(x, {{"all", 0, 6}});
      x = apply_scaler(scaler, x);
      y = apply_scaler(scaler, y);
    }
    return predict(train_svc(x, train.labels, {.eps = 1e-5}), y);
  };
  CHECK(labels(unscaled, true, 0.1) == labels(unscaled, true, 0.9));
  CHECK(labels(per_block, false, 0.1) != labels(per_block, false, 0.9));
  CHECK(labels(per_block, false, 0.1) != labels(unscaled, true, 0.1));
}
