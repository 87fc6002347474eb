#include "nn/loss.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/train/golden.h"

using namespace limbic;

TEST_CASE("loss: equals PyTorch's cross-entropy and its gradient") {
  const nlohmann::json golden = testing::read_golden("losses");
  const std::vector<float> logits = golden.at("logits");
  for (const auto& c : golden.at("cases")) {
    CAPTURE(c.at("smoothing").get<double>());
    CAPTURE(c.at("weighted").get<bool>());
    CrossEntropyOptions o{.class_weights = {}, .label_smoothing = c.at("smoothing")};
    if (c.at("weighted")) o.class_weights = golden.at("weights").get<std::vector<float>>();
    const std::vector<int64_t> labels = c.at("labels");
    std::vector<float> diff(logits.size(), NAN);
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
  const std::vector<float> huge = {1e4f, -1e4f, 0, 3e38f, -3e38f, 0};
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
