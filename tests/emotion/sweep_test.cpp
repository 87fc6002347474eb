// Table 2 and Fig. 3, cell by cell against a computation of its own; the classifiers of a model
// against the SVM and the dense layer called directly.
#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "limbic/emotion/sweep.h"
#include "limbic/network/predictor.h"
#include "limbic/svm/products.h"
#include "tests/emotion/pipeline.h"

using namespace limbic;
using namespace limbic::emotion;
using namespace limbic::io;
using namespace limbic::network;
using namespace limbic::svm;
using namespace limbic::testing;

namespace {

const std::vector<std::string> roles = {"diff1", "diff2", "supplement"};
constexpr int64_t widths[] = {5, 9, 3};

// Three overlapping classes in three blocks, of different means and spreads.
BranchFeatures make_features(int64_t n, uint64_t seed) {
  BranchFeatures out;
  Random random(seed);
  for (int64_t i = 0; i < n; ++i) out.labels.push_back(random.below(3));
  for (size_t b = 0; b < 3; ++b) {
    Tensor block({n, widths[b]});
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < widths[b]; ++j)
        block.data()[i * widths[b] + j] = static_cast<float>(
            static_cast<double>(j + 1) *
            (3 + random.normal() + (j == out.labels[static_cast<size_t>(i)] ? 0.9 : 0.0)));
    out.blocks.push_back(block);
  }
  return out;
}

FitResult make_prepared() {
  FitResult out;
  out.model.classes = {"awe", "fear", "joy"};
  for (const std::string& role : roles) out.model.branches.emplace_back().role = role;
  out.train_features = make_features(160, 1);
  out.test_features = make_features(90, 2);
  for (int64_t row = 3; row < 160; row += 4) out.validation_rows.push_back(row);
  return out;
}

// Blocks scaled by the means and deviations of `base`, weighted, side by side.
Tensor fused(const BranchFeatures& base, const std::vector<int64_t>& rows,
             const BranchFeatures& features, const std::vector<double>& weights, bool scaled) {
  const auto n = std::ssize(features.labels);
  Tensor out({n, 17});
  int64_t at = 0;
  for (size_t b = 0; b < 3; ++b) {
    const int64_t width = widths[b];
    for (int64_t j = 0; j < width; ++j) {
      double mean = 0, variance = 0;
      const auto count = static_cast<double>(rows.size());
      const float* values = base.blocks[b].data();
      for (int64_t row : rows) mean += double{values[row * width + j]} / count;
      for (int64_t row : rows)
        variance += std::pow(double{values[row * width + j]} - mean, 2) / count;
      for (int64_t i = 0; i < n; ++i) {
        const double value = features.blocks[b].data()[i * width + j];
        out.data()[i * 17 + at + j] = static_cast<float>(
            weights[b] * (scaled ? (value - mean) / std::sqrt(variance) : value));
      }
    }
    at += width;
  }
  return out;
}

std::vector<int> take(const std::vector<int64_t>& labels, const std::vector<int64_t>& rows) {
  std::vector<int> out;
  for (int64_t row : rows) out.push_back(static_cast<int>(labels[static_cast<size_t>(row)]));
  return out;
}

double share(const std::vector<int>& predicted, const std::vector<int>& truth) {
  double right = 0;
  for (size_t i = 0; i < truth.size(); ++i) right += predicted[i] == truth[i];
  return right / static_cast<double>(truth.size());
}

std::vector<int> labels_of(const SoftmaxClassifier& dense, const Tensor& x) {
  const Tensor p = dense.probabilities(x);
  std::vector<int> out;
  for (int64_t i = 0; i < x.dim(0); ++i)
    out.push_back(static_cast<int>(argmax(p.rows(i, i + 1).values())));
  return out;
}

// Gamma by the rule over a block of variance 1 a feature, or over what the features have.
double gamma_of(const Tensor& x) { return choose_gamma(x, GammaRule::scale, 0); }

}  // namespace

TEST_CASE("sweep of fusions: every cell is what its classifier, trained alone, scores") {
  const FitResult prepared = make_prepared();
  std::vector<int64_t> learn, all_test;
  for (int64_t row = 0; row < 160; ++row)
    if (row % 4 != 3) learn.push_back(row);
  for (int64_t row = 0; row < 90; ++row) all_test.push_back(row);
  for (bool scaled : {true, false}) {
    FusionSweepOptions options{
        .fusions = {Fusion::with_alpha(0), Fusion::with_alpha(0.3), Fusion::with_beta(0.6)},
        .C = {0.4, 3}};
    options.classifier.scale_blocks = scaled;
    int cells = 0;
    std::set<double> scores;
    sweep_fusions(prepared, options, [&](const FusionCell& cell) {
      ++cells;
      const std::vector<double> weights = block_weights(options.fusions[cell.fusion], roles);
      const Tensor train =
          fused(prepared.train_features, learn, prepared.train_features, weights, scaled);
      const Tensor test =
          fused(prepared.train_features, learn, prepared.test_features, weights, scaled);
      const Tensor x = take_rows(train, learn), held = take_rows(train, prepared.validation_rows);
      const std::vector<int> labels = take(prepared.train_features.labels, learn);
      std::vector<int> on_test, on_held;
      if (cell.C) {
        const SvcModel svm = train_svc(
            x, labels, {.C = *cell.C, .gamma_rule = GammaRule::value, .gamma = gamma_of(x)});
        on_test = predict(svm, test);
        on_held = predict(svm, held);
      } else {
        const SoftmaxClassifier dense =
            train_softmax_classifier(x, {labels.begin(), labels.end()}, 3);
        on_test = labels_of(dense, test);
        on_held = labels_of(dense, held);
      }
      CAPTURE(cell.fusion);
      CAPTURE(cell.C.value_or(0));
      CHECK(cell.converged);
      // The solver's tolerance may turn a picture on the border.
      CHECK(std::abs(cell.test_accuracy -
                     share(on_test, take(prepared.test_features.labels, all_test))) < 1.5 / 90);
      REQUIRE(cell.validation_accuracy.has_value());
      CHECK(std::abs(*cell.validation_accuracy - share(on_held, take(prepared.train_features.labels,
                                                                     prepared.validation_rows))) <
            1.5 / 40);
      CHECK(cell.test_accuracy < 0.9);  // hard enough that an echo of labels would be seen
      scores.insert(cell.test_accuracy);
    });
    CHECK(cells == 9);
    CHECK(scores.size() > 4);
  }
  FusionSweepOptions wrong{.fusions = {Fusion::with_alpha(0.5)}, .C = {1}};
  wrong.classifier.gamma_rule = GammaRule::value;
  CHECK_THROWS_AS(sweep_fusions(prepared, wrong, [](const FusionCell&) {}), Error);
  FitResult none = make_prepared();
  none.test_features = {};
  int64_t validated = 0;  // validation pictures alone are enough
  sweep_fusions(none, {.fusions = {{}}, .C = {1}}, [&](const FusionCell& cell) {
    CHECK(cell.test_labels.empty());
    validated += std::ssize(cell.validation_labels);
  });
  CHECK(validated > 0);
  none.validation_rows.clear();
  CHECK_THROWS_AS(sweep_fusions(none, {.fusions = {{}}, .C = {1}}, [](const FusionCell&) {}),
                  Error);
}

TEST_CASE("classifier of a model: the SVM and the dense layer over scaled, weighted blocks") {
  const BranchFeatures features = make_features(150, 1), fresh = make_features(60, 2);
  std::vector<int64_t> rows;
  for (int64_t row = 0; row < 150; ++row) rows.push_back(row);
  const std::vector<int> labels = take(features.labels, rows);
  for (bool scaled : {true, false})
    for (double C : {0.5, 4.0}) {
      ClassifierOptions options{.fusion = Fusion::with_alpha(0.3), .C = C, .scale_blocks = scaled};
      const FusionClassifier c = train_classifier(roles, features, 3, options);
      const std::vector<double> weights{0.3, 0.7, 1};
      const Tensor x = fused(features, rows, features, weights, scaled),
                   y = fused(features, rows, fresh, weights, scaled);
      const SvcModel svm = train_svc(
          x, labels,
          {.C = C, .gamma_rule = GammaRule::value, .gamma = gamma_of(x), .calibration_folds = 3});
      CAPTURE(scaled);
      CAPTURE(C);
      CHECK(c.svm.gamma == doctest::Approx(svm.gamma).epsilon(1e-5));
      CHECK(c.svm.temperature == doctest::Approx(svm.temperature).epsilon(0.02));
      CHECK(c.svm.temperature != 1);
      double largest = 0;
      for (double coef : c.svm.dual_coef.values<double>())
        largest = std::max(largest, std::abs(coef));
      CHECK(largest == C);
      const Prediction p = classify(c, roles, fresh.blocks, 3);
      const Tensor expected = probabilities(svm, y);
      for (int64_t i = 0; i < 60; ++i)
        for (size_t k = 0; k < 3; ++k)
          CHECK(std::abs(p.probabilities.data<double>()[i * 3 + svm.classes[k]] -
                         expected.data<double>()[i * 3 + static_cast<int64_t>(k)]) < 0.02);
      const auto dense = labels_of(train_softmax_classifier(x, features.labels, 3), y);
      int same = 0;
      for (size_t i = 0; i < 60; ++i) same += p.dense_labels[i] == dense[i];
      CHECK(same >= 59);
    }
  const ClassifierOptions options;
  const FusionClassifier c = train_classifier(roles, features, 3, options);
  CHECK_THROWS_AS(train_classifier(roles, features, 2, options), Error);
  CHECK_THROWS_AS(train_classifier({"diff1"}, features, 3, options), Error);
  CHECK_THROWS_AS(train_classifier(roles, features, 3, {.C = -1}), Error);
  CHECK_THROWS_AS(train_classifier(roles, features, 3, {.gamma_rule = GammaRule::value}), Error);
  CHECK_THROWS_AS(classify(c, roles, fresh.blocks, 2), Error);
  CHECK_THROWS_AS(classify(c, {"diff1", "diff2"}, fresh.blocks, 3), Error);
  CHECK_THROWS_AS(classify(c, {"diff2", "diff1", "supplement"}, fresh.blocks, 3), Error);
  CHECK_THROWS_AS(classify(c, roles, {fresh.blocks[1], fresh.blocks[0], fresh.blocks[2]}, 3),
                  Error);
  CHECK_THROWS_AS(join_blocks({}), Error);
  CHECK_THROWS_AS(join_blocks({Tensor({2, 2}, DType::f64)}), Error);
}

TEST_CASE("fit: a Diff-CNN alone is scored by its own last layer on the test pictures") {
  const TemporaryFolder folder;
  const Dataset data = make_pictures(folder, 12);
  FitOptions o = small_fit("", 2);
  const FitResult r = fit(data, o);
  for (size_t b = 0; b < 2; ++b) {
    Branch whole = r.model.branches[b];
    whole.layer = "logits";
    const BranchFeatures logits = extract_features({whole}, r.test, {});
    const Evaluation expected = evaluate_logits(logits.blocks[0], logits.labels);
    const Evaluation& got = r.single.at(whole.role);
    CAPTURE(whole.role);
    CHECK(got.confusion == expected.confusion);
    CHECK(got.samples == r.test.size());
  }
}

TEST_CASE("fit: without test pictures of its own, a slice still chooses the epoch") {
  const TemporaryFolder folder;
  const Dataset data = make_pictures(folder, 10);
  FitOptions o = small_fit("", 1);
  o.diff2.model = "none";
  o.hold_out_test = false;
  o.train_fraction = 0.9;
  const FitResult r = fit(data, o);
  CHECK(r.train.size() == 30);
  CHECK(r.test.size() == 0);
  CHECK(r.validation_rows.size() == 3);
  CHECK(r.train_features.labels.size() == 30);
  CHECK(r.trainings.at("diff1").best_epoch == 1);
  o.select_by_test = true;
  CHECK_THROWS_AS(fit(data, o), Error);
}
