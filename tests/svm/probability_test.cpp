// Platt's sigmoids, coupling, the temperature: against LIBSVM's numbers and by their definitions.
#include <doctest/doctest.h>

#include <cmath>

#include "limbic/core/random.h"
#include "limbic/svm/cross_validation.h"
#include "limbic/svm/platt.h"
#include "tests/svm/golden.h"

using namespace limbic;
using namespace limbic::svm;
using namespace limbic::testing;

namespace {

// Lines of iris_probability.golden.
struct Lines {
  std::vector<int> labels;
  std::vector<std::vector<double>> probabilities;
  std::vector<Sigmoid> sigmoids;
};

Lines read_lines() {
  Lines out;
  std::ifstream in(golden_path("iris_probability.golden"));
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string key;
    words >> key;
    std::vector<double> values;
    for (double value; words >> value;) values.push_back(value);
    if (key == "labels") out.labels.assign(values.begin(), values.end());
    if (key == "probabilities") out.probabilities.push_back(values);
    if (key == "sigmoid") out.sigmoids.push_back({values[0], values[1]});
  }
  return out;
}

// Rows of d features that are noise, labels 0 and 1 that say nothing of them.
SvmData make_noise(int64_t n, int64_t d) {
  SvmData out{Tensor({n, d}), {}};
  Random random(21);
  for (float& value : out.x.values()) value = static_cast<float>(random.normal());
  for (int64_t i = 0; i < n; ++i) out.labels.push_back(static_cast<int>(random.below(2)));
  return out;
}

double log_likelihood(SvcModel model, double temperature, const Tensor& decisions,
                      const std::vector<int>& labels) {
  model.temperature = temperature;
  const Tensor p = probabilities_from_decisions(model, decisions);
  double sum = 0;
  for (size_t i = 0; i < labels.size(); ++i)
    for (size_t c = 0; c < model.classes.size(); ++c)
      if (model.classes[c] == labels[i])
        sum += std::log(
            p.data<double>()[static_cast<int64_t>(i) * p.dim(1) + static_cast<int64_t>(c)]);
  return sum;
}

}  // namespace

TEST_CASE(
    "platt: LIBSVM's model gives LIBSVM's probabilities, also after its file is written anew") {
  const Lines lines = read_lines();
  SvcModel model = read_svm_model(golden_path("iris_probability.model"));
  CHECK(model.degree == 2);
  CHECK(model.coef0 == 1);
  const SvmData data = read_svm_data(golden_path("iris.data"));
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < data.x.dim(0); i += 5) rows.push_back(i);
  REQUIRE(rows.size() == lines.probabilities.size());
  CHECK(model.classes == lines.labels);
  const std::string path = temporary("probability");
  for (int round = 0; round < 2; ++round) {
    const Tensor p = pairwise_probabilities(model, take_rows(data.x, rows));
    double worst = 0;
    for (size_t i = 0; i < rows.size(); ++i)
      for (size_t c = 0; c < 3; ++c)
        worst = std::max(worst, std::abs(p.data<double>()[i * 3 + c] - lines.probabilities[i][c]));
    CHECK(worst < 2e-4);  // six digits in LIBSVM's file, and where its iteration stops
    write_svm_model(path, model);
    const SvcModel again = read_svm_model(path);
    CHECK(again.degree == model.degree);
    CHECK(again.coef0 == model.coef0);
    CHECK(again.prob_a == model.prob_a);
    CHECK(again.prob_b == model.prob_b);
    CHECK(again.prob_a != again.prob_b);
    model = again;
  }
}

TEST_CASE("platt: the sigmoid of greatest likelihood, targets drawn in") {
  const Lines lines = read_lines();
  std::vector<double> decisions;
  std::vector<int8_t> mixed, separable;
  for (int i = 0; i < 50; ++i) {
    decisions.push_back(std::sin(i) + 0.3);
    mixed.push_back(std::cos(3 * i) < 0.4 + decisions.back() ? 1 : -1);
    separable.push_back(decisions.back() > 0.3 ? 1 : -1);
  }
  REQUIRE(lines.sigmoids.size() == 2);
  for (size_t i = 0; i < 2; ++i) {
    const Sigmoid s = fit_sigmoid(decisions, i == 0 ? mixed : separable);
    CHECK(s.a == doctest::Approx(lines.sigmoids[i].a).epsilon(2e-3));
    CHECK(s.b == doctest::Approx(lines.sigmoids[i].b).epsilon(2e-3));
  }
  CHECK_THROWS_AS(fit_sigmoid(decisions, std::vector<int8_t>{1}), Error);
  CHECK_THROWS_AS(fit_sigmoid({}, {}), Error);
  CHECK_THROWS_AS(fit_sigmoid(std::vector<double>{NAN}, std::vector<int8_t>{1}), Error);
}

TEST_CASE("platt: coupling solves its quadratic problem, also for pairs that are certain") {
  for (const std::vector<double>& r : {std::vector<double>{0.7, 0.6, 0.4}, {1, 1, 1}, {0, 1, 0}}) {
    const auto p = couple_pairs(3, r);
    // The problem's value, sum over pairs of (r_ji p_i - r_ij p_j)^2, nowhere near is less.
    const auto value = [&](const std::vector<double>& q) {
      return std::pow((1 - r[0]) * q[0] - r[0] * q[1], 2) +
             std::pow((1 - r[1]) * q[0] - r[1] * q[2], 2) +
             std::pow((1 - r[2]) * q[1] - r[2] * q[2], 2);
    };
    CHECK(p[0] + p[1] + p[2] == doctest::Approx(1));
    for (size_t a = 0; a < 3; ++a) {
      CHECK(std::isfinite(p[a]));
      for (size_t b = 0; b < 3; ++b) {
        std::vector<double> moved = p;
        const double amount = std::min(0.02, moved[b]);
        moved[a] += amount;
        moved[b] -= amount;
        CHECK(value(p) <= value(moved) + 1e-6);
      }
    }
  }
  CHECK_THROWS_AS(couple_pairs(3, std::vector<double>{0.5}), Error);
  CHECK(couple_pairs(1, {}) == std::vector<double>{1});
  CHECK_THROWS_AS(couple_pairs(2, std::vector<double>{1.5}), Error);
  CHECK_THROWS_AS(couple_pairs(2, std::vector<double>{NAN}), Error);
}

TEST_CASE("platt: coupling ends where LIBSVM's does, however many rounds that takes") {
  constexpr int64_t k = 6;
  Random random(3);
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<double> r(k * (k - 1) / 2);
    for (double& value : r) value = random.uniform();
    const auto p = couple_pairs(k, r);
    std::vector<double> q(k * k, 0.0), qp(k, 0.0);
    size_t pair = 0;
    for (size_t a = 0; a < k; ++a)
      for (size_t b = a + 1; b < k; ++b) {
        const double wins = std::clamp(r[pair++], 1e-7, 1 - 1e-7), loses = 1 - wins;
        q[a * k + a] += loses * loses, q[b * k + b] += wins * wins;
        q[a * k + b] = q[b * k + a] = -loses * wins;
      }
    double pqp = 0;
    for (size_t a = 0; a < k; ++a) {
      for (size_t b = 0; b < k; ++b) qp[a] += q[a * k + b] * p[b];
      pqp += p[a] * qp[a];
    }
    for (size_t a = 0; a < k; ++a) CHECK(std::abs(qp[a] - pqp) < 0.00501 / k);
  }
}

TEST_CASE("platt: sigmoids are fitted to rows that the solver did not see, dealt by the seed") {
  const SvmData noise = make_noise(200, 5);
  SvcOptions options{.C = 100, .gamma_rule = GammaRule::value, .gamma = 2};
  options.pairwise_probability = true;
  const SvcModel model = train_svc(noise.x, noise.labels, options);
  // It has learnt its rows by heart, and knows nothing of others.
  CHECK(predict(model, noise.x) == noise.labels);
  const Tensor p = pairwise_probabilities(model, noise.x);
  for (double value : p.values<double>()) CHECK(std::abs(value - 0.5) < 0.3);
  options.seed = 1;
  CHECK(train_svc(noise.x, noise.labels, options).prob_a != model.prob_a);
}

TEST_CASE("svc: the temperature is the likeliest for decisions about rows that were held out") {
  Golden golden("wine_scaled");
  for (int seed : {0, 1}) {
    golden.options.calibration_folds = 3;
    golden.options.seed = static_cast<uint64_t>(seed);
    const SvcModel model = train_svc(golden.data.x, golden.data.labels, golden.options);
    // The same folds, by hand.
    const auto [classes, order] = sort_by_class(golden.data.labels);
    const auto fold =
        stratified_folds(classes, golden.data.x.dim(0), 3,
                         Random(static_cast<uint64_t>(seed), hash_name("svm/calibration")));
    std::vector<double> values;
    std::vector<int> truth;
    for (int f = 0; f < 3; ++f) {
      std::vector<int64_t> train, test;
      for (size_t i = 0; i < order.size(); ++i) (fold[i] == f ? test : train).push_back(order[i]);
      std::vector<int> labels;
      for (int64_t row : train) labels.push_back(golden.data.labels[static_cast<size_t>(row)]);
      const SvcModel part = train_svc(take_rows(golden.data.x, train), labels,
                                      {.C = golden.options.C,
                                       .gamma_rule = GammaRule::value,
                                       .gamma = model.gamma,
                                       .eps = golden.options.eps});
      REQUIRE(part.classes == model.classes);
      const Tensor decisions = decision_values(part, take_rows(golden.data.x, test));
      values.insert(values.end(), decisions.values<double>().begin(),
                    decisions.values<double>().end());
      for (int64_t row : test) truth.push_back(golden.data.labels[static_cast<size_t>(row)]);
    }
    const Tensor decisions =
        Tensor::of(values, {std::ssize(truth), std::ssize(values) / std::ssize(truth)});
    CHECK(model.temperature ==
          doctest::Approx(fit_temperature(model, decisions, truth)).epsilon(1e-3));
    const double best = log_likelihood(model, model.temperature, decisions, truth);
    for (double factor : {0.5, 0.8, 0.95, 1.05, 1.25, 2.0})
      CHECK(log_likelihood(model, model.temperature * factor, decisions, truth) < best);
  }
}
