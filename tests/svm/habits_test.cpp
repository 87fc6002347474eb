// What LIBSVM's users bring and scikit-learn's default files have: indices from 0, one class alone,
// no bound on alpha, labels by probability.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <ostream>

#include "limbic/svm/cross_validation.h"
#include "limbic/svm/libsvm_format.h"
#include "limbic/svm/products.h"
#include "tests/temporary.h"
#include "tests/text.h"

namespace limbic::svm {
namespace {

SvmData read(const std::string& text, const SvmDataOptions& options = {}) {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "data";
  write_atomically(path, [&](std::ostream& out) { out << text; });
  return read_svm_data(path, options);
}

const char* from_zero = "1 0:1 1:2\n1 0:2 2:1\n-1 0:-1 1:-2\n-1 1:-1 2:-1\n";
const char* from_one = "1 1:1 2:2\n1 1:2 3:1\n-1 1:-1 2:-2\n-1 2:-1 3:-1\n";

}  // namespace

TEST_CASE("svm data: index 0 is a feature like any other") {
  const SvmData zero = read(from_zero), one = read(from_one);
  CHECK(zero.first_index == 0);
  CHECK(one.first_index == 1);
  CHECK(std::ranges::equal(zero.x.values<float>(), one.x.values<float>()));
  CHECK(read(from_one, {.first_index = 0}).x.dim(1) == 4);
  CHECK(read(from_zero, {.last_index = 7}).x.dim(1) == 8);
}

TEST_CASE("svm model: features numbered from 0 are written and read so, and meet any data") {
  const SvmData data = read(from_zero);
  SvcModel model = train_svc(data.x, data.labels);
  model.first_index = data.first_index;
  const testing::TemporaryFolder folder;
  const std::string path = folder / "model";
  write_svm_model(path, model);
  SvcModel again = read_svm_model(path);
  CHECK(again.first_index == 0);
  const Tensor values = decision_values(model, data.x);
  const double* expected = values.data<double>();
  const SvmData same = read(from_zero, columns_of(again));
  widen(again, same);
  const Tensor decisions = decision_values(again, same.x);
  for (int64_t i = 0; i < values.size(); ++i)
    CHECK(decisions.data<double>()[i] == doctest::Approx(expected[i]).epsilon(1e-6));

  // A model from 1 meets an index 0: K is that of the features of both.
  SvcModel plain = train_svc(read(from_one).x, data.labels);
  const SvmData wide = read("1 0:0 1:1 2:2\n1 0:50 1:1 2:2\n", columns_of(plain));
  widen(plain, wide);
  CHECK(plain.first_index == 0);
  const Tensor both = decision_values(plain, wide.x);
  CHECK(both.data<double>()[0] == doctest::Approx(expected[0]).epsilon(1e-6));
  CHECK(both.data<double>()[1] == doctest::Approx(-plain.rho[0]).epsilon(1e-3));  // far from all
}

TEST_CASE("svc: one class, where it is allowed, is a model that always says it") {
  const Tensor x = Tensor::of(std::vector<float>{1, 2, 3, 4, 5, 6}, {3, 2});
  const std::vector<int> labels = {7, 7, 7};
  CHECK_THROWS_AS(train_svc(x, labels), Error);
  const SvcOptions options{.one_class_too = true, .pairwise_probability = true};
  const SvcModel model = train_svc(x, labels, options);
  const testing::TemporaryFolder folder;
  const std::string path = folder / "model";
  write_svm_model(path, model);
  CHECK(testing::text_of(path).find("nr_class 1\ntotal_sv 0\nrho\nlabel 7\n") != std::string::npos);
  SvcModel again = read_svm_model(path);
  widen(again, {.x = x, .labels = {}});
  CHECK(predict(again, x) == labels);
  CHECK(most_probable(again, pairwise_probabilities(again, x)) == labels);
  CHECK(cross_validate(x, labels, options, 3) == 1);
}

TEST_CASE("svm: C may be infinite, and no sample is on the wrong side") {
  const SvmData data = read(from_zero);
  const SvcModel model = train_svc(data.x, data.labels, {.C = INFINITY, .eps = 1e-6});
  CHECK(model.pairs[0].n_bounded == 0);
  CHECK(model.pairs[0].nu == 0);
  const Tensor decisions = decision_values(model, data.x);
  for (size_t i = 0; i < 4; ++i) CHECK(data.labels[i] * decisions.data<double>()[i] > 1 - 1e-4);
  const SvrModel line = train_svr(data.x, std::vector<double>{1, 2, 3, 4}, {.C = INFINITY});
  CHECK(predict(line, data.x)[3] == doctest::Approx(4).epsilon(0.11 / 4));
}

TEST_CASE("cross-validation: labels by probability are those of the largest probability") {
  // Where a fold's sigmoid turns the decision round, probability and vote part.
  std::string text;
  for (int i = 0; i < 40; ++i)
    text += str_cat(i % 3 == 0 ? 1 : 2, " 1:", i % 7, " 2:", i % 5, "\n");
  const SvmData data = read(text);
  SvcOptions options{.gamma_rule = GammaRule::value, .gamma = 2};
  const double votes = cross_validate(data.x, data.labels, options, 4);
  options.pairwise_probability = true;
  const double by_probability = cross_validate(data.x, data.labels, options, 4);
  int64_t right = 0;
  const std::vector<int> fold = deal_folds(data.labels, 4, 0);
  for (int f = 0; f < 4; ++f) {
    std::vector<int64_t> inside, outside;
    std::vector<int> labels;
    for (size_t i = 0; i < 40; ++i)
      (fold[i] == f ? outside : inside).push_back(static_cast<int64_t>(i));
    for (int64_t i : inside) labels.push_back(data.labels[static_cast<size_t>(i)]);
    const SvcModel model = train_svc(take_rows(data.x, inside), labels, options);
    const auto said =
        most_probable(model, pairwise_probabilities(model, take_rows(data.x, outside)));
    for (size_t i = 0; i < outside.size(); ++i)
      right += said[i] == data.labels[static_cast<size_t>(outside[i])];
  }
  CHECK(by_probability == doctest::Approx(static_cast<double>(right) / 40).epsilon(0.06));
  CHECK(by_probability != votes);
}

}  // namespace limbic::svm
