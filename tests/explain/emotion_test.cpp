#include "limbic/explain/emotion.h"

#include <doctest/doctest.h>

#include <cmath>

using namespace limbic;
using namespace limbic::explain;

namespace {

// Two networks' features, 5 and 3 wide, of three classes; the second's become probabilities.
emotion::EmotionModel model_of(svm::KernelType kernel, bool scaled) {
  emotion::BranchFeatures f;
  f.blocks = {Tensor({60, 5}), Tensor({60, 3})};
  Random random(7);
  for (int64_t i = 0; i < 60; ++i) {
    f.labels.push_back(i % 3);
    for (int64_t j = 0; j < 5; ++j)
      f.blocks[0].data()[i * 5 + j] = static_cast<float>(2 + random.normal() + (i % 3 == j));
    double sum = 0;
    for (int64_t j = 0; j < 3; ++j)
      sum += f.blocks[1].data()[i * 3 + j] =
          static_cast<float>(std::exp(random.normal() + (i % 3 == j)));
    for (int64_t j = 0; j < 3; ++j) f.blocks[1].data()[i * 3 + j] /= static_cast<float>(sum);
  }
  emotion::EmotionModel model{.classes = {"awe", "fear", "joy"}};
  model.branches.resize(2);
  model.branches[0].role = "diff1";
  model.branches[1].role = "supplement";
  model.branches[1].layer = "logits";
  model.branches[1].softmax = true;
  model.classifier = emotion::train_classifier(
      {"diff1", "supplement"}, f, 3,
      {.fusion = emotion::Fusion::with_beta(0.3), .kernel = kernel, .scale_blocks = scaled});
  return model;
}

const std::vector<float> logits = {0.3f, -1.2f, 0.8f};  // of the supplement

std::vector<Tensor> blocks_of_a_picture() {
  const std::vector<double> p = Head{}.probabilities(logits);
  return {Tensor::of(std::vector<float>{2.5f, 1, 2, 3, 1.5f}, {1, 5}),
          Tensor::of(std::vector<float>(p.begin(), p.end()), {1, 3})};
}

}  // namespace

TEST_CASE("explain: a branch's head is the dense layer, and its gradient the differences") {
  const emotion::EmotionModel model = model_of(svm::KernelType::rbf, true);
  const std::vector<Tensor> blocks = blocks_of_a_picture();
  const Tensor x =
      svm::apply_scaler(model.classifier.scaler, emotion::join_blocks(blocks),
                        emotion::block_weights(model.classifier.fusion, model.roles()));
  const Tensor dense = model.classifier.dense.probabilities(x);
  for (size_t b = 0; b < 2; ++b) {
    CAPTURE(b);
    const BranchHead branch = head_of(model, b, blocks);
    CHECK(!branch.own_classifier);
    std::vector<float> row =
        b == 1 ? logits : std::vector<float>(blocks[0].data(), blocks[0].data() + 5);
    const std::vector<double> p = branch.head.probabilities(row);
    for (size_t c = 0; c < 3; ++c) {
      CHECK(p[c] == doctest::Approx(double{dense.data()[c]}).epsilon(1e-5));
      const auto gradient = branch.head.score_gradient(row, static_cast<int64_t>(c));
      for (size_t j = 0; j < row.size(); ++j) {
        const float before = row[j];
        row[j] = before + 1e-2f;
        const double up = branch.head.score(row, static_cast<int64_t>(c));
        row[j] = before - 1e-2f;
        const double down = branch.head.score(row, static_cast<int64_t>(c));
        row[j] = before;
        CHECK(double{gradient[j]} == doctest::Approx((up - down) / 2e-2).epsilon(1e-2));
      }
    }
  }
}

TEST_CASE("explain: of a linear SVM the blocks' parts sum to what sets it apart from the mean") {
  for (const bool scaled : {true, false}) {
    CAPTURE(scaled);
    const emotion::EmotionModel model = model_of(svm::KernelType::linear, scaled);
    const std::vector<Tensor> blocks = blocks_of_a_picture();
    const svm::SvcModel& svm = model.classifier.svm;
    REQUIRE(svm.classes == std::vector<int>{0, 1, 2});
    Tensor mean({1, 8});
    for (int64_t i = 0; !scaled && i < svm.support_vectors.dim(0); ++i)
      for (int64_t j = 0; j < 8; ++j)
        mean.data()[j] +=
            svm.support_vectors.data()[i * 8 + j] / static_cast<float>(svm.support_vectors.dim(0));
    const Tensor pairs = svm::decision_values(svm, mean);  // (0,1), (0,2), (1,2)
    const double* d = pairs.data<double>();
    const double of_mean[] = {(d[0] + d[1]) / 2, (d[2] - d[0]) / 2, (-d[1] - d[2]) / 2};
    for (int64_t c = 0; c < 3; ++c) {
      CAPTURE(c);
      const Decision decision = explain_decision(model, blocks, c, 4);
      REQUIRE(decision.contributions.size() == 2);
      CHECK(decision.contributions[1].role == "supplement");
      CHECK(decision.contributions[0].drop + decision.contributions[1].drop ==
            doctest::Approx(decision.decision - of_mean[c]).epsilon(1e-4));
    }
    CHECK_THROWS_AS(explain_decision(model, blocks, 3), Error);
  }
}

TEST_CASE("explain: the nearest support vectors, of the right classes") {
  const emotion::EmotionModel model = model_of(svm::KernelType::rbf, true);
  const Decision decision = explain_decision(model, blocks_of_a_picture(), 0, 1000);
  const svm::SvcModel& svm = model.classifier.svm;
  REQUIRE(std::ssize(decision.neighbours) == svm.support_vectors.dim(0));
  for (size_t i = 0; i < decision.neighbours.size(); ++i) {
    CHECK(decision.neighbours[i].label == decision.neighbours[i].index % 3);
    if (i > 0) CHECK(decision.neighbours[i].distance >= decision.neighbours[i - 1].distance);
  }
  CHECK(explain_decision(model, blocks_of_a_picture(), 0, 2).neighbours.size() == 2);
}
