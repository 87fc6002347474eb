#include "limbic/nn/loss.h"

#include <doctest/doctest.h>

#include <cmath>

#include "limbic/train/auxiliary.h"
#include "tests/train/golden.h"

using namespace limbic;

TEST_CASE("loss: equals PyTorch's cross-entropy and its gradient") {
  const nlohmann::json golden = testing::read_golden("losses");
  const std::vector<float> values = golden.at("logits");
  for (const auto& c : golden.at("cases")) {
    CAPTURE(c.at("smoothing").get<double>());
    CAPTURE(c.at("weighted").get<bool>());
    CrossEntropyOptions o{.class_weights = {}, .label_smoothing = c.at("smoothing")};
    if (c.at("weighted")) o.class_weights = golden.at("weights").get<std::vector<float>>();
    const std::vector<int64_t> labels = c.at("labels");
    const int64_t rows = std::ssize(labels);
    const Tensor logits = Tensor::of(values, {rows, std::ssize(values) / rows});
    std::vector<float> diff(values.size(), NAN);
    const double loss = softmax_cross_entropy(logits, labels, diff, o);
    CHECK(loss == doctest::Approx(c.at("loss").get<double>()).epsilon(1e-12));
    CHECK(softmax_cross_entropy(logits, labels, {}, o) == loss);
    double worst = 0;
    for (size_t i = 0; i < diff.size(); ++i)
      worst = std::max(worst, std::abs(double{diff[i]} - c.at("gradient")[i].get<double>()));
    CHECK(worst < 1e-7);
  }
}

TEST_CASE("loss: large logits, rows left out, labels out of range") {
  const Tensor huge = Tensor::of(std::vector<float>{1e4f, -1e4f, 0, 3e38f, -3e38f, 0}, {2, 3});
  std::vector<float> diff(6, NAN);
  CHECK(softmax_cross_entropy(huge, std::vector<int64_t>{0, 0}, diff) == 0);
  CHECK(diff == std::vector<float>(6, 0.0f));
  diff.assign(6, NAN);
  CHECK(softmax_cross_entropy(huge, std::vector<int64_t>{-1, -1}, diff) == 0);
  CHECK(diff == std::vector<float>(6, 0.0f));
  for (double normaliser : {0.0, 2.0}) {
    CHECK_THROWS_WITH(softmax_cross_entropy(huge, std::vector<int64_t>{0, 3}, {}, {}, normaliser),
                      "cross-entropy: label 3 of 3 classes");
    CHECK_THROWS_AS(softmax_cross_entropy(huge, std::vector<int64_t>{-2, 0}, {}, {}, normaliser),
                    Error);
  }
  CHECK_THROWS_AS(
      softmax_cross_entropy(huge, std::vector<int64_t>{0, 0}, {}, {.class_weights = {1, 2}}),
      Error);
  CHECK_THROWS_AS(softmax_cross_entropy(huge, std::vector<int64_t>{0, 0, 0, 0}, {}), Error);
  CHECK_THROWS_AS(softmax_cross_entropy(huge, std::vector<int64_t>{}, {}), Error);
}

TEST_CASE("loss: what does not fit is an Error, not another loss") {
  const Tensor logits({4, 4});
  const std::vector<int64_t> labels = {0, 1, 2, 3};
  std::vector<float> diff(16);
  const auto refused = [&](const std::string& message, const std::vector<int64_t>& of,
                           std::span<float> into, const CrossEntropyOptions& o) {
    CAPTURE(message);
    try {
      softmax_cross_entropy(logits, of, into, o);
      FAIL("no error");
    } catch (const Error& e) {
      CAPTURE(e.what());
      CHECK(std::string(e.what()).find(message) != std::string::npos);
    }
  };
  refused("expected logits (2,classes), one row a label, got (4,4)", {0, 1}, diff, {});
  refused("diff has 15 values", labels, std::span(diff).first(15), {});
  refused("label_smoothing must be in [0,1], got 2", labels, diff, {.label_smoothing = 2});
  refused("label_smoothing must be in [0,1], got nan", labels, diff, {.label_smoothing = NAN});
  refused("sum to 0", labels, diff, {.class_weights = {0, 0, 0, 0}});
  refused("a class weight is -1", labels, diff, {.class_weights = {1, -1, 1, 1}});
  refused("a class weight is nan", labels, diff, {.class_weights = {1, 1, NAN, 1}});
  // Documented: what is not finite stays so.
  Tensor bad({1, 2});
  bad.data()[0] = INFINITY;
  CHECK(std::isnan(softmax_cross_entropy(bad, std::vector<int64_t>{0}, {})));
}

TEST_CASE("loss: a second one beside it, by plain sums and finite differences") {
  const train::AuxiliaryLoss auxiliary{.group = {1, 0, 1}, .weight = 0.7};
  CHECK(auxiliary.groups() == 2);
  Tensor logits = Tensor::of(
      std::vector<float>{0.3f, -1, 0.5f, 2, -0.4f, 1.2f, 0.1f, -0.6f, 0.9f, 0.2f}, {2, 5});
  const std::vector<int64_t> labels = {2, 1}, groups = {1, 0};
  const double normaliser = 3;
  const double expected =
      softmax_cross_entropy(train::columns(logits, 0, 3), labels, {}, {}, normaliser) +
      0.7 * softmax_cross_entropy(train::columns(logits, 3, 5), groups, {}, {}, normaliser);
  std::vector<float> diff(10, NAN);
  CHECK(train::softmax_cross_entropy(logits, labels, diff, {}, normaliser, auxiliary) ==
        doctest::Approx(expected).epsilon(1e-12));
  for (int64_t i = 0; i < 10; ++i) {
    CAPTURE(i);
    const auto at = [&](float step) {
      Tensor moved = logits.clone();
      moved.data()[i] += step;
      return train::softmax_cross_entropy(moved, labels, {}, {}, normaliser, auxiliary);
    };
    CHECK(double{diff[static_cast<size_t>(i)]} ==
          doctest::Approx((at(1e-2f) - at(-1e-2f)) / 2e-2).epsilon(1e-4));
  }
  CHECK_THROWS_AS(
      train::softmax_cross_entropy(train::columns(logits, 0, 4), labels, {}, {}, 1, auxiliary),
      Error);
}
