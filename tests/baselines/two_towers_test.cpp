#include "limbic/baselines/two_towers.h"

#include <doctest/doctest.h>

#include "limbic/baselines/mi_svm.h"
#include "limbic/core/random.h"
#include "limbic/network/predictor.h"

using namespace limbic;
using namespace limbic::baselines;

TEST_CASE("two towers: each is the network, and the head reads both") {
  const models::Model single = models::build_model("resnet8", 2);
  const Parameters weights = single.graph.initialise(3);
  const models::Model both = two_towers(single, 5, 2);
  Parameters parameters = both.graph.initialise(4);
  const int64_t fresh = parameters.size();
  // All of the network but its last layer, twice, and the head's weight and bias.
  CHECK(fresh == 2 * (weights.size() - 2) + 2);
  fill_towers(weights, parameters);
  CHECK(both.classifier == "head");
  CHECK(parameters.at("head.weight").value.shape() == Shape{7, 128});
  // The head adds up the first features, then 10 times the second.
  Tensor head({7, 128});
  for (int64_t j = 0; j < 128; ++j) head.data()[j] = j < 64 ? 1 : 10;
  parameters.set("head.weight", head);
  parameters.set("head.bias", Tensor({7}));
  // The second tower's last batch norm gives twice as much.
  const std::string scale = "assistant.layer3.0.bn2.weight";
  Tensor changed = parameters.at(scale).value.clone();
  for (float& v : changed.values()) v *= 2;
  parameters.set(scale, changed);
  Parameters second = weights.clone();
  second.set("layer3.0.bn2.weight", changed);

  Tensor images({2, 3, 32, 32});
  Random random(1);
  for (float& v : images.values()) v = static_cast<float>(random.normal());
  const auto features = [&](const Parameters& p) {
    return network::Predictor(single, p, images.shape(), "features").run(images);
  };
  const Tensor a = features(weights), b = features(second);
  const Tensor logits = network::Predictor(both, parameters, images.shape()).run(images);
  CHECK(logits.shape() == Shape{2, 7});
  for (int64_t n = 0; n < 2; ++n) {
    double sum = 0;
    for (int64_t j = 0; j < 64; ++j)
      sum += double{a.data()[n * 64 + j]} + 10 * double{b.data()[n * 64 + j]};
    CHECK(double{logits.data()[n * 7]} == doctest::Approx(sum).epsilon(1e-4));
    CHECK(logits.data()[n * 7 + 1] == 0);
  }
  // What is read elsewhere is the first tower.
  const Tensor own = network::Predictor(both, parameters, images.shape(), "features").run(images);
  for (int64_t i = 0; i < own.size(); ++i) CHECK(own.data()[i] == doctest::Approx(a.data()[i]));
}

TEST_CASE("mi-SVM finds the one instance of a bag that tells") {
  // Bags of five instances of noise; in a bag of class c one of them lies high in column c.
  const int64_t n = 90, size = 5, d = 6;
  Bags bags{Tensor({n * size, d}), size};
  Random random(2);
  for (float& v : bags.x.values()) v = static_cast<float>(random.normal());
  std::vector<int64_t> labels;
  for (int64_t b = 0; b < n; ++b) {
    labels.push_back(b % 3);
    bags.x.data()[(b * size + random.below(size)) * d + b % 3] += 6;
  }
  const LinearClassifier got = train_mi_svm(bags, labels, 4, {});
  const std::vector<int64_t> said = predict_bags(got, bags);
  int64_t right = 0;
  for (size_t i = 0; i < said.size(); ++i) right += said[i] == labels[i];
  CHECK(right >= 85);
  CHECK_THROWS_AS(train_mi_svm({bags.x, 4}, labels, 4, {}), Error);
}
