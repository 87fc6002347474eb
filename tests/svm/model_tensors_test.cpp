#include "limbic/svm/model_tensors.h"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>

#include "limbic/core/error.h"
#include "limbic/core/random.h"

using namespace limbic;
using namespace limbic::svm;

namespace {

// Three classes, five features in two blocks.
struct Fixture {
  Tensor x{Shape{24, 5}};
  BlockScaler scaler;
  SvcModel model;
  Tensors whole;

  Fixture() {
    std::vector<int> labels;
    Random random(1);
    for (int64_t i = 0; i < 24; ++i) {
      labels.push_back(static_cast<int>(i % 3) * 2);
      for (int64_t j = 0; j < 5; ++j)
        x.data()[i * 5 + j] = static_cast<float>(random.normal() + (j == i % 3 ? 2 : 0));
    }
    scaler = fit_scaler(x, {{"a", 0, 2}, {"b", 2, 3}});
    model = train_svc(apply_scaler(scaler, x), labels);
    model.temperature = 0.75;
    add_tensors(scaler, whole);
    add_tensors(model, whole);
  }

  // What is said of the tensors after `edit`.
  std::string after(const std::function<void(Tensors&, std::vector<FeatureBlock>&)>& edit) const {
    Tensors tensors = whole;
    std::vector<FeatureBlock> blocks = scaler.blocks;
    edit(tensors, blocks);
    try {
      scaler_from_tensors(tensors, blocks, "file");
      svc_from_tensors(tensors, "file");
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
};

Tensor doubles(const std::vector<double>& values) {
  return Tensor::of(values, {std::ssize(values)});
}

}  // namespace

TEST_CASE("model tensors: a classifier and its scaler come back as they were") {
  const Fixture f;
  const SvcModel model = svc_from_tensors(f.whole, "file");
  const BlockScaler scaler = scaler_from_tensors(f.whole, f.scaler.blocks, "file");
  const Tensor a = probabilities(f.model, apply_scaler(f.scaler, f.x)),
               b = probabilities(model, apply_scaler(scaler, f.x));
  REQUIRE(a.shape() == b.shape());
  for (int64_t i = 0; i < a.size(); ++i) CHECK(a.data<double>()[i] == b.data<double>()[i]);
  CHECK(model.classes == f.model.classes);
  CHECK(gamma_scale(scaler) == gamma_scale(f.scaler));

  SvcModel other = f.model;
  other.kernel = KernelType::linear;
  Tensors tensors;
  add_tensors(other, tensors);
  CHECK(svc_from_tensors(tensors, "file").kernel == KernelType::linear);
  other.kernel = KernelType::polynomial;
  CHECK_THROWS_WITH_AS(add_tensors(other, tensors),
                       "SVM: only RBF and linear classifiers are kept as tensors", Error);
}

TEST_CASE("model tensors: each thing that can be wrong has its sentence") {
  const Fixture f;
  CHECK(f.after([](auto&, auto&) {}) == "");
  const int64_t n = f.model.support_vectors.dim(0);
  const std::vector<std::pair<std::string, std::function<void(Tensors&)>>> cases = {
      {"file: lacks 'svm.rho'", [](Tensors& t) { t.erase("svm.rho"); }},
      {"file: 'svm.rho' expected F64(3), got F64(2)",
       [](Tensors& t) {
         t["svm.rho"] = doubles({1, 2});
       }},
      {"file: 'svm.rho' expected F64(3), got F32(3)",
       [](Tensors& t) { t["svm.rho"] = Tensor({3}); }},
      {"file: 'svm.rho' holds inf at 1, expected finite numbers",
       [](Tensors& t) {
         t["svm.rho"] = doubles({1, INFINITY, 2});
       }},
      {"file: 'svm.support_vectors' holds nan at 2, expected finite numbers",
       [](Tensors& t) {
         Tensor& v = t["svm.support_vectors"];
         v = v.clone();
         v.data()[2] = NAN;
       }},
      {"file: 'svm.support_vectors' expected F32(any,any), got F32(5)",
       [](Tensors& t) { t["svm.support_vectors"] = Tensor({5}); }},
      {"file: 'svm.classes' expected two at least, got 1",
       [](Tensors& t) { t["svm.classes"] = Tensor::of(std::vector<int32_t>{4}, {1}); }},
      {"file: 'svm.classes' holds a class twice",
       [](Tensors& t) {
         t["svm.classes"] = Tensor::of(std::vector<int32_t>{0, 2, 0}, {3});
       }},
      {str_cat("file: 'svm.n_sv' holds -1, of ", n, " support vectors that are left"),
       [&](Tensors& t) {
         t["svm.n_sv"] = Tensor::of(std::vector<int64_t>{-1, n, 1}, {3});
       }},
      {str_cat("file: 'svm.n_sv' holds ", INT64_MAX, ", of ", n - 1,
               " support vectors that are left"),
       [](Tensors& t) {
         t["svm.n_sv"] = Tensor::of(std::vector<int64_t>{1, INT64_MAX, 1}, {3});
       }},
      {str_cat("file: 'svm.n_sv' counts 3 of ", n, " support vectors"),
       [](Tensors& t) {
         t["svm.n_sv"] = Tensor::of(std::vector<int64_t>{1, 1, 1}, {3});
       }},
      {str_cat("file: 'svm.dual_coef' expected F64(2,", n, "), got F64(1,", n, ")"),
       [&](Tensors& t) {
         t["svm.dual_coef"] = Tensor({1, n}, DType::f64);
       }},
      {"file: gamma expected above 0, got 0",
       [](Tensors& t) {
         t["svm.gamma_temperature"] = doubles({0, 1});
       }},
      {"file: temperature expected above 0, got -1",
       [](Tensors& t) {
         t["svm.gamma_temperature"] = doubles({1, -1});
       }},
      {"file: 'scaler.offset' expected F64(5), got F64(1)",
       [](Tensors& t) { t["scaler.offset"] = doubles({1}); }},
  };
  for (const auto& [message, edit] : cases)
    CHECK(f.after([&, &apply = edit](Tensors& t, auto&) { apply(t); }) == message);

  using Blocks = std::vector<FeatureBlock>;
  const std::vector<std::pair<std::string, Blocks>> blocks = {
      {"file: the blocks hold 2 of 5 features", {{"a", 0, 2}}},
      {"file: block 'b' has 3 features from 1, expected 1 to 3 from 2", {{"a", 0, 2}, {"b", 1, 3}}},
      {"file: block 'b' has 4 features from 2, expected 1 to 3 from 2", {{"a", 0, 2}, {"b", 2, 4}}},
      {"file: block 'a' has 0 features from 0, expected 1 to 5 from 0", {{"a", 0, 0}, {"b", 0, 5}}},
  };
  for (const auto& [message, others] : blocks)
    CHECK(f.after([&, &given = others](Tensors&, Blocks& b) { b = given; }) == message);
}
