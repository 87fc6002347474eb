#include "limbic/emotion/softmax_classifier.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "limbic/core/file.h"
#include "limbic/core/random.h"
#include "limbic/svm/libsvm_format.h"
#include "limbic/svm/products.h"

using namespace limbic;
using namespace limbic::emotion;
using namespace limbic::svm;
using nlohmann::json;

namespace {

struct Set {
  Tensor x;
  std::vector<int64_t> labels;
};

// Noise in which column c is higher by `signal` for class c; every column times its own scale, and
// far from 0 as pooled features are.
Set make_set(int64_t n, int64_t d, int64_t classes, double signal, double offset = 0) {
  Set out{Tensor({n, d}), {}};
  Random random(5);
  for (int64_t i = 0; i < n; ++i) {
    out.labels.push_back(i % classes);
    for (int64_t j = 0; j < d; ++j)
      out.x.data()[i * d + j] =
          static_cast<float>((1 + static_cast<double>(j % 4)) *
                             (offset + random.normal() + (j == i % classes ? signal : 0)));
  }
  return out;
}

struct Optimality {
  double loss, gap, bias;
};

// The penalised loss of a classifier by its definition in f64, what its gradient by W (features
// counted from their means, which a free bias allows) says is left to gain at most, and the largest
// gradient by a bias.
Optimality optimality(const SoftmaxClassifier& c, const Set& set, double decay) {
  const int64_t n = set.x.dim(0), d = set.x.dim(1), classes = c.bias.size();
  std::vector<double> gradient(static_cast<size_t>(classes * d)),
      of_bias(static_cast<size_t>(classes));
  Optimality out{0, 0, 0};
  const std::vector<double> mean = column_means(set.x);
  for (int64_t i = 0; i < n; ++i) {
    std::vector<double> p;
    double sum = 0;
    for (int64_t k = 0; k < classes; ++k) {
      double z = c.bias.data()[k];
      for (int64_t j = 0; j < d; ++j)
        z += double{c.weight.data()[k * d + j]} * double{set.x.data()[i * d + j]};
      p.push_back(std::exp(z));
      sum += p.back();
    }
    const int64_t label = set.labels[static_cast<size_t>(i)];
    out.loss -= std::log(p[static_cast<size_t>(label)] / sum) / static_cast<double>(n);
    for (int64_t k = 0; k < classes; ++k) {
      const double diff = (p[static_cast<size_t>(k)] / sum - (k == label)) / static_cast<double>(n);
      of_bias[static_cast<size_t>(k)] += diff;
      for (int64_t j = 0; j < d; ++j)
        gradient[static_cast<size_t>(k * d + j)] +=
            diff * (double{set.x.data()[i * d + j]} - mean[static_cast<size_t>(j)]);
    }
  }
  for (int64_t i = 0; i < classes * d; ++i) {
    const double weight = c.weight.data()[i];
    out.loss += decay / 2 * weight * weight;
    out.gap += std::pow(gradient[static_cast<size_t>(i)] + decay * weight, 2) / (2 * decay);
  }
  for (double g : of_bias) out.bias = std::max(out.bias, std::abs(g));
  return out;
}

}  // namespace

TEST_CASE("softmax classifier: scikit-learn's optimum") {
  const std::string path = std::string(LIMBIC_SOURCE_DIR) + "/tests/goldens/softmax.json";
  const auto bytes = read_file(path);
  const json cases = json::parse(bytes.begin(), bytes.end());
  CHECK(cases.size() == 8);
  for (const json& golden : cases) {
    const std::string name = golden.at("data");
    CAPTURE(name);
    const SvmData data =
        read_svm_data(std::string(LIMBIC_SOURCE_DIR) + "/tests/goldens/svm/" + name + ".data", {});
    const std::set<int> kinds(data.labels.begin(), data.labels.end());
    std::vector<int64_t> labels;
    for (int label : data.labels) labels.push_back(std::distance(kinds.begin(), kinds.find(label)));
    const SoftmaxClassifier c = train_softmax_classifier(data.x, labels, std::ssize(kinds),
                                                         {.weight_decay = golden.at("decay")});
    CHECK(c.converged);
    CHECK(std::abs(c.loss - golden.at("loss").get<double>()) < 1e-4);
    const Tensor p = c.probabilities(data.x.rows(0, 1));
    for (size_t k = 0; k < kinds.size(); ++k)
      CHECK(std::abs(double{p.data()[k]} - golden.at("first")[k].get<double>()) < 0.01);
  }
}

TEST_CASE("softmax classifier: the least loss, wider than rows, far from 0 and of unequal scales") {
  for (const auto& set : {make_set(60, 400, 3, 2), make_set(300, 7, 5, 1, 10),
                          make_set(50, 900, 8, 3, 4), make_set(40, 1, 2, 1)})
    for (double decay : {1e-3, 1e-2}) {
      const int64_t classes = 1 + *std::max_element(set.labels.begin(), set.labels.end());
      const SoftmaxClassifier c =
          train_softmax_classifier(set.x, set.labels, classes, {.weight_decay = decay});
      const Optimality found = optimality(c, set, decay);
      CAPTURE(set.x.dim(1));
      CAPTURE(decay);
      CHECK(c.converged);
      CHECK(found.gap < 2e-4);
      CHECK(found.bias < 1e-3);
      CHECK(c.loss == doctest::Approx(found.loss).epsilon(1e-4));
    }
}

TEST_CASE("softmax classifier: no step raises the loss, where whole Newton steps would") {
  // Few rows of values over many orders, hardly penalised.
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Set set{Tensor({7, 3}), {}};
    Random random(seed);
    for (int64_t i = 0; i < 7; ++i) {
      set.labels.push_back(random.below(2));
      for (int64_t j = 0; j < 3; ++j)
        set.x.data()[i * 3 + j] =
            static_cast<float>((random.below(2) ? 1 : -1) * std::exp(2 * random.normal()));
    }
    double before = INFINITY;
    for (int64_t steps = 0; steps <= 30; ++steps) {
      const double loss =
          train_softmax_classifier(set.x, set.labels, 2, {.weight_decay = 1e-9, .max_steps = steps})
              .loss;
      CAPTURE(seed);
      CAPTURE(steps);
      CHECK(loss <= before);
      before = loss;
    }
  }
}

TEST_CASE(
    "softmax classifier: a weighted block is not scaled back, and a class without rows is none") {
  const Set set = make_set(200, 6, 3, 2);
  Tensor weak = set.x.clone();
  for (float& value : weak.values()) value *= 0.01f;
  const double loss = train_softmax_classifier(set.x, set.labels, 3).loss,
               of_weak = train_softmax_classifier(weak, set.labels, 3).loss;
  CHECK(of_weak > loss + 0.1);
  const SoftmaxClassifier four = train_softmax_classifier(set.x, set.labels, 4);
  CHECK(four.converged);
  const Tensor p = four.probabilities(set.x);
  for (int64_t i = 0; i < 200; ++i) CHECK(p.data()[i * 4 + 3] < 0.02f);
}

TEST_CASE("softmax classifier: the same bits each time; what it cannot honour is said") {
  const Set set = make_set(300, 5, 3, 5);
  const SoftmaxClassifier c = train_softmax_classifier(set.x, set.labels, 3);
  const SoftmaxClassifier again = train_softmax_classifier(set.x, set.labels, 3);
  CHECK(std::memcmp(c.weight.raw(), again.weight.raw(), static_cast<size_t>(c.weight.bytes())) ==
        0);
  const Tensor p = c.probabilities(set.x);
  for (int64_t i = 0; i < 300; ++i) {
    const auto row = p.rows(i, i + 1).values();
    CHECK(double{row[0]} + row[1] + row[2] == doctest::Approx(1).epsilon(1e-6));
  }
  const SoftmaxClassifier none = train_softmax_classifier(set.x, set.labels, 3, {.max_steps = 0});
  CHECK_FALSE(none.converged);
  CHECK(none.loss == doctest::Approx(std::log(3)));
  const SoftmaxClassifier one = train_softmax_classifier(set.x, set.labels, 3, {.max_steps = 1});
  CHECK(one.loss < none.loss);

  CHECK_THROWS_AS(c.probabilities(Tensor({2, 4})), Error);
  CHECK_THROWS_AS(train_softmax_classifier(set.x, set.labels, 2), Error);
  CHECK_THROWS_AS(train_softmax_classifier(set.x, set.labels, 1), Error);
  CHECK_THROWS_AS(train_softmax_classifier(Tensor({0, 5}), {}, 3), Error);
  CHECK_THROWS_AS(train_softmax_classifier(set.x.rows(0, 20), set.labels, 3), Error);
  for (double decay : {0.0, -1.0, double{NAN}, double{INFINITY}})
    CHECK_THROWS_AS(train_softmax_classifier(set.x, set.labels, 3, {.weight_decay = decay}), Error);
  Tensor broken = set.x.clone();
  broken.data()[7] = NAN;
  CHECK_THROWS_AS(train_softmax_classifier(broken, set.labels, 3), Error);
}
