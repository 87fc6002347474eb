// What cannot be is refused at the door of every function that takes sizes, folds, rows, decisions.
#include <doctest/doctest.h>

#include <climits>
#include <cmath>

#include "limbic/report/heat_map.h"
#include "limbic/svm/block_distances.h"
#include "limbic/svm/cross_validation.h"
#include "limbic/svm/platt.h"
#include "limbic/svm/scaler.h"
#include "limbic/svm/svr.h"
#include "limbic/svm/sweep.h"
#include "tests/svm/golden.h"

using namespace limbic;
using namespace limbic::report;
using namespace limbic::svm;
using namespace limbic::testing;

TEST_CASE("doors: folds") {
  const Golden golden("iris");
  const auto n = static_cast<size_t>(golden.data.x.dim(0));
  SweepOptions options{.kernels = {{{1}, 0.1}}, .C = {1}, .fold = {}, .svc = {}};
  const std::vector<Tensor> blocks = {golden.data.x};
  for (int fold : {-2, INT_MIN, INT_MAX, static_cast<int>(n), -1}) {
    CAPTURE(fold);
    options.fold.assign(n, fold);
    CHECK_THROWS_AS(sweep(blocks, golden.data.labels, options, [](const SweepCell&) {}), Error);
    if (fold == -1) continue;  // nothing held out is none of for_each_fold's business
    const auto [classes, order] = sort_by_class(golden.data.labels);
    const TrainingKernel kernel(golden.data.x, {.gamma = 0.1}, order);
    CHECK_THROWS_AS(
        for_each_fold(kernel, classes, golden.options, options.fold, [](const HeldOut&) {}), Error);
  }
  const auto [classes, order] = sort_by_class(golden.data.labels);
  for (int folds : {0, -1, INT_MIN})
    CHECK_THROWS_AS(stratified_folds(classes, golden.data.x.dim(0), folds, Random(0)), Error);
  CHECK_THROWS_AS(stratified_folds(classes, 10, 3, Random(0)), Error);
  for (int folds : {0, 1, -5, INT_MAX}) {
    CHECK_THROWS_AS(deal_folds(golden.data.labels, folds, 0), Error);
    CHECK_THROWS_AS(cross_validate(golden.data.x, golden.data.labels, golden.options, folds),
                    Error);
  }
}

TEST_CASE("doors: rows and orders") {
  const Golden golden("iris");
  const Tensor& x = golden.data.x;
  const std::vector<int64_t> brief{1, 0}, outside(static_cast<size_t>(x.dim(0)), x.dim(0)),
      negative(static_cast<size_t>(x.dim(0)), -1);
  const std::vector<Tensor> blocks = {x};
  for (const auto& order : {brief, outside, negative}) {
    CHECK_THROWS_AS(SampleKernel(x, {}, order), Error);
    CHECK_THROWS_AS(TrainingKernel(x, {}, order), Error);
    CHECK_THROWS_AS(squared_distances(x, {.order = order}), Error);
    CHECK_THROWS_AS(BlockDistances(blocks, {}, order), Error);
  }
  CHECK_THROWS_AS(take_rows(x, outside), Error);
  CHECK_THROWS_AS(take_rows(x, negative), Error);
  CHECK_THROWS_AS(take_rows(x, brief, x.dim(1) + 1), Error);
  CHECK_THROWS_AS(group_by_class(golden.data.labels, outside), Error);
  CHECK_THROWS_AS(sort_by_class({}), Error);
}

TEST_CASE("doors: decisions, labels, targets, gamma, scalers, maps") {
  const Golden golden("iris");
  const SvcModel model = train_svc(golden.data.x, golden.data.labels, golden.options);
  Tensor decisions = decision_values(model, golden.data.x).clone();
  const std::vector<int> unknown(golden.data.labels.size(), 99);
  CHECK_THROWS_AS(fit_temperature(model, decisions, unknown), Error);
  CHECK_THROWS_AS(fit_temperature(model, decisions, std::vector<int>{1}), Error);
  for (const Tensor& wrong :
       {Tensor({4, 2}, DType::f64), Tensor({4, 3}), Tensor({3}, DType::f64)}) {
    CHECK_THROWS_AS(vote(model, wrong), Error);
    CHECK_THROWS_AS(probabilities_from_decisions(model, wrong), Error);
  }
  SvcModel cold = model;
  for (double bad : {0.0, -1.0, double{NAN}, double{INFINITY}}) {
    cold.temperature = bad;
    CHECK_THROWS_AS(probabilities_from_decisions(cold, decisions), Error);
  }
  decisions.data<double>()[1] = NAN;
  CHECK_THROWS_AS(vote(model, decisions), Error);
  SvcModel broken = model;
  broken.n_sv[0] += 1;
  CHECK_THROWS_AS(predict(broken, golden.data.x), Error);
  broken = model;
  broken.rho[0] = NAN;
  CHECK_THROWS_AS(predict(broken, golden.data.x), Error);

  const std::vector<double> two{1, 2}, three{1, 2, 3};
  CHECK_THROWS_AS(score_regression(two, three), Error);
  CHECK_THROWS_AS(score_regression({}, {}), Error);
  CHECK_THROWS_AS(cross_validate(golden.data.x, two, SvrOptions{}, 5, 0), Error);
  CHECK_THROWS_AS(choose_gamma(Tensor({3, 0}), GammaRule::automatic, 0), Error);
  CHECK_THROWS_AS(choose_gamma(Tensor({0, 3}), GammaRule::scale, 0), Error);

  BlockScaler scaler = fit_scaler(golden.data.x, {{"all", 0, golden.data.x.dim(1)}});
  scaler.factor.pop_back();
  CHECK_THROWS_AS(apply_scaler(scaler, golden.data.x), Error);
  scaler = fit_scaler(golden.data.x, {{"all", 0, golden.data.x.dim(1)}});
  scaler.blocks[0].width = 1000;
  CHECK_THROWS_AS(apply_scaler(scaler, golden.data.x), Error);
  CHECK_THROWS_AS(gamma_scale(scaler), Error);
  CHECK_THROWS_AS(write_heat_map(temporary("map"), {.x = {1}, .y = {1}, .values = {NAN}}), Error);
}

TEST_CASE("scaler: a feature that never varied passes as 0, whatever it is later") {
  const Tensor x = Tensor::of<float>(std::vector<float>{1, 5, 3, 5, 2, 5}, {3, 2}),
               later = Tensor::of<float>(std::vector<float>{2, 7}, {1, 2});
  for (ScaleMode mode : {ScaleMode::standard, ScaleMode::minmax}) {
    const BlockScaler scaler = fit_scaler(x, {{"all", 0, 2}}, {.mode = mode});
    CHECK(apply_scaler(scaler, later).data()[1] == 0);
    CHECK(scaler.variance[1] == 0);
  }
  const BlockScaler raw = fit_scaler(x, {{"all", 0, 2}}, {.mode = ScaleMode::none});
  CHECK(apply_scaler(raw, later).data()[1] == 7);
}

TEST_CASE("folds are shuffled within each class, by the seed, and evenly dealt") {
  std::vector<int> labels;
  for (int i = 0; i < 60; ++i) labels.push_back(i / 20);
  const auto fold = deal_folds(labels, 5, 0);
  CHECK(fold != deal_folds(labels, 5, 1));
  CHECK(fold == deal_folds(labels, 5, 0));
  for (int c = 0; c < 3; ++c) {
    bool in_turn = true;
    std::vector<int> held(5, 0);
    for (int i = 0; i < 20; ++i) {
      const auto at = static_cast<size_t>(20 * c + i);
      ++held[static_cast<size_t>(fold[at])];
      if (i > 0) in_turn = in_turn && fold[at] == (fold[at - 1] + 1) % 5;
    }
    CHECK_FALSE(in_turn);
    CHECK(held == std::vector<int>(5, 4));
  }
}
