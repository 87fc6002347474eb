#include "limbic/svm/sweep.h"

#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "limbic/core/random.h"
#include "limbic/svm/cross_validation.h"

using namespace limbic;
using namespace limbic::svm;

namespace {

// Three classes in two blocks of different widths; the last third of the rows is held out.
struct Set {
  std::vector<Tensor> blocks;
  std::vector<int> labels, fold;
};

Set make_set(int64_t n) {
  Set out;
  Random random(7);
  for (int64_t i = 0; i < n; ++i) {
    out.labels.push_back(static_cast<int>(3 - i % 3));
    out.fold.push_back(i < n - n / 3 ? -1 : 0);
  }
  for (int64_t width : {4, 9}) {
    out.blocks.emplace_back(Shape{n, width});
    float* values = out.blocks.back().data();
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < width; ++j)
        values[i * width + j] = static_cast<float>(
            random.normal() + (j == out.labels[static_cast<size_t>(i)] ? 1.5 : 0.0));
  }
  return out;
}

// What a sweep should find: each cell trained alone, on the concatenated rows.
std::vector<int> expected(const Set& set, const SweepKernel& kernel, double C, double eps) {
  const int64_t n = set.blocks[0].dim(0), a = set.blocks[0].dim(1), b = set.blocks[1].dim(1);
  std::vector<float> train, all;
  std::vector<int> labels;
  for (int64_t i = 0; i < n; ++i) {
    std::vector<float> row;
    for (int64_t j = 0; j < a; ++j)
      row.push_back(static_cast<float>(kernel.weights[0]) * set.blocks[0].data()[i * a + j]);
    for (int64_t j = 0; j < b; ++j)
      row.push_back(static_cast<float>(kernel.weights[1]) * set.blocks[1].data()[i * b + j]);
    all.insert(all.end(), row.begin(), row.end());
    if (set.fold[static_cast<size_t>(i)] >= 0) continue;
    train.insert(train.end(), row.begin(), row.end());
    labels.push_back(set.labels[static_cast<size_t>(i)]);
  }
  SvcOptions options{.C = C, .gamma_rule = GammaRule::value, .gamma = kernel.gamma, .eps = eps};
  const SvcModel model = train_svc(Tensor::of(train, {std::ssize(labels), a + b}), labels, options);
  std::vector<int> out = predict(model, Tensor::of(all, {n, a + b}));
  for (size_t i = 0; i < out.size(); ++i)
    if (set.fold[i] < 0) out[i] = set.labels[i];
  return out;
}

SweepOptions options_for(const Set& set) {
  SweepOptions out{.kernels = {{{0.25, 0.75}, 0.3}, {{1, 0}, 0.1}, {{0.5, 0.5}, 1}},
                   .C = {4, 0.5, 1},
                   .fold = set.fold,
                   .svc = {}};
  out.svc.eps = 1e-6;
  return out;
}

std::vector<SweepCell> run(const Set& set, const SweepOptions& options) {
  std::vector<SweepCell> cells;
  sweep(set.blocks, set.labels, options, [&](const SweepCell& cell) { cells.push_back(cell); });
  return cells;
}

}  // namespace

TEST_CASE("sweep: every cell is what training it alone gives, in memory and over budget") {
  const Set set = make_set(120);
  SweepOptions options = options_for(set);
  for (int64_t budget : {int64_t{1} << 30, int64_t{20'000}}) {
    CAPTURE(budget);
    options.svc.budget_bytes = budget;
    const auto cells = run(set, options);
    REQUIRE(cells.size() == 9);
    for (size_t at = 0; at < 9; ++at) {
      CAPTURE(at);
      const SweepCell& cell = cells[at];
      CHECK(cell.kernel == at / 3);
      CHECK(cell.C == std::vector<double>{0.5, 1, 4}[at % 3]);
      CHECK(cell.converged);
      CHECK(cell.predicted == expected(set, options.kernels[cell.kernel], cell.C, 1e-6));
    }
  }
}

TEST_CASE("sweep: a path along C starts each solver from what the C before left, rescaled") {
  const Set set = make_set(240);
  SweepOptions options = options_for(set);
  // Nearly all samples are support vectors at the bound, where alpha C'/C is the optimum for C'.
  options.kernels = {{{0.5, 0.5}, 1e-4}};
  options.C = {0.01, 0.1, 1, 10};
  options.svc.eps = 1e-3;
  int64_t along = 0, alone = 0;
  for (const SweepCell& cell : run(set, options)) along += cell.iterations;
  for (double C : std::vector<double>(options.C)) {
    options.C = {C};
    alone += run(set, options)[0].iterations;
  }
  CAPTURE(along);
  CAPTURE(alone);
  CHECK(2 * along < alone);
}

TEST_CASE("sweep: what is known is left out and changes nothing") {
  const Set set = make_set(90);
  SweepOptions options = options_for(set);
  options.svc.eps = 0.3;  // so coarse that a cell depends on where its path began
  const auto all = run(set, options);
  std::set<std::pair<size_t, double>> known;
  for (size_t at : {0u, 1u, 3u, 4u, 5u, 7u}) known.emplace(all[at].kernel, all[at].C);
  options.known = [&](size_t kernel, double C) { return known.contains({kernel, C}); };
  const auto rest = run(set, options);
  REQUIRE(rest.size() == 3);
  const size_t left[] = {2, 6, 8};
  for (size_t i = 0; i < 3; ++i) {
    CHECK(rest[i].kernel == all[left[i]].kernel);
    CHECK(rest[i].C == all[left[i]].C);
    CHECK(rest[i].predicted == all[left[i]].predicted);
  }
}

TEST_CASE("sweep: alpha 1/2 and beta 2/3 are one model under gamma scale, alpha 1/4 another") {
  const Set set = make_set(120);
  const auto cells_of = [&](std::vector<double> weights) {
    // Both blocks and a copy of the first as the supplement; each feature's variance stands for 1.
    std::vector<Tensor> blocks = set.blocks;
    blocks.push_back(set.blocks[0]);
    double sum = 0;
    for (size_t b = 0; b < 3; ++b)
      sum += weights[b] * weights[b] * static_cast<double>(blocks[b].dim(1));
    SweepOptions options = options_for(set);
    options.kernels = {{std::move(weights), 1 / sum}};
    std::vector<std::vector<int>> out;
    sweep(blocks, set.labels, options,
          [&](const SweepCell& cell) { out.push_back(cell.predicted); });
    return out;
  };
  const auto alpha = cells_of({0.5, 0.5, 1});
  CHECK(alpha == cells_of({1.0 / 3, 1.0 / 3, 2.0 / 3}));
  CHECK(alpha != cells_of({0.25, 0.75, 1}));
}

TEST_CASE("sweep: folds are held out in turn, as cross-validation does") {
  const Set set = make_set(120);
  SweepOptions options = options_for(set);
  options.kernels = {{{1}, 0.3}};
  options.C = {1};
  options.fold = deal_folds(set.labels, 4, 5);
  SvcOptions svc{.gamma_rule = GammaRule::value, .gamma = 0.3, .eps = 1e-6, .seed = 5};
  int64_t right = 0;
  sweep({set.blocks.data(), 1}, set.labels, options, [&](const SweepCell& cell) {
    for (size_t i = 0; i < 120; ++i) right += cell.predicted[i] == set.labels[i];
  });
  CHECK(static_cast<double>(right) / 120 == cross_validate(set.blocks[0], set.labels, svc, 4));
}

TEST_CASE(
    "sweep: rows with one class to learn from get it, with none no label; misfits are refused") {
  Set set = make_set(12);
  SweepOptions options = options_for(set);
  for (size_t i = 0; i < 12; ++i) options.fold[i] = set.labels[i] == 1 ? -1 : 0;
  for (const SweepCell& cell : run(set, options))
    for (size_t i = 0; i < 12; ++i) CHECK(cell.predicted[i] == 1);
  for (int& fold : options.fold) fold = 0;
  for (const SweepCell& cell : run(set, options))
    for (size_t i = 0; i < 12; ++i) CHECK(cell.predicted[i] == no_label);
  const auto refused = [&](auto change) {
    SweepOptions wrong = options_for(set);
    change(wrong);
    CHECK_THROWS_AS(run(set, wrong), Error);
  };
  refused([](SweepOptions& o) { o.fold.pop_back(); });
  refused([](SweepOptions& o) { o.C = {1, 0}; });
  refused([](SweepOptions& o) { o.kernels[1].gamma = NAN; });
  refused([](SweepOptions& o) { o.kernels[1].weights = {1}; });
  refused([](SweepOptions& o) { o.kernels[1].weights = {1, INFINITY}; });
  set.blocks[1].data()[3] = NAN;
  CHECK_THROWS_AS(run(set, options_for(set)), Error);
}
