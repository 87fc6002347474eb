// The algorithms against VLFeat, scikit-image and LIBLINEAR, or against what must hold of them.
#include <doctest/doctest.h>

#include <cmath>
#include <complex>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numbers>
#include <numeric>
#include <set>

#include "limbic/baselines/dense_sift.h"
#include "limbic/baselines/gist.h"
#include "limbic/baselines/hog_descriptor.h"
#include "limbic/baselines/kmeans.h"
#include "limbic/baselines/lbp.h"
#include "limbic/baselines/linear_svm.h"
#include "limbic/baselines/plsa.h"
#include "limbic/core/parallel.h"
#include "limbic/core/random.h"

using namespace limbic;
using namespace limbic::baselines;
using nlohmann::json;

namespace {

json golden(const std::string& name, const std::string& maker) {
  const std::string path = std::string(LIMBIC_SOURCE_DIR) + "/tests/goldens/baselines/" + name;
  std::ifstream file(path);
  require(file.good(), path, ": missing; ", maker, " beside it writes it");
  return json::parse(file);
}
json algorithms() { return golden("algorithms.json", "make_algorithm_goldens.c"); }

// The picture of make_algorithm_goldens.c.
Grey test_picture(int64_t height = 37, int64_t width = 44) {
  Grey out(height, width);
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x)
      out.at(y, x) =
          static_cast<float>((x * x + 3 * y * y + 7 * x * y + (x * 37 + y * 91) % 53) / 4 % 256);
  return out;
}

// The largest difference, as a part of the largest value.
double worst(std::span<const float> got, const std::vector<float>& expected) {
  REQUIRE(got.size() == expected.size());
  double difference = 0, largest = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    difference = std::max(difference, std::abs(double{got[i]} - double{expected[i]}));
    largest = std::max(largest, std::abs(double{expected[i]}));
  }
  return difference / largest;
}

Tensor random_rows(int64_t n, int64_t d, uint64_t seed) {
  Tensor out({n, d});
  Random random(seed);
  for (float& v : out.values()) v = static_cast<float>(random.normal());
  return out;
}

}  // namespace

TEST_CASE("dense SIFT is VLFeat's") {
  const json expected = algorithms();
  for (const int64_t bin : {4, 6, 8}) {
    CAPTURE(bin);
    const DenseSift got = dense_sift(test_picture(), {.step = 8, .bin_size = bin});
    const auto want = expected.at("sift" + std::to_string(bin)).get<std::vector<float>>();
    CHECK(worst(got.descriptors.values(), want) < 1e-3);
    CHECK(got.x.size() * 128 == want.size());
    CHECK(got.x[0] == doctest::Approx(1.5 * static_cast<double>(bin)));
  }
  CHECK(dense_sift(test_picture(12, 40)).x.empty());
  CHECK(dense_sift(test_picture(13, 13)).x.size() == 1);
  CHECK(dense_sift(Grey(0, 0)).x.empty());
  const DenseSift flat = dense_sift(Grey(13, 13));
  for (const float v : flat.descriptors.values()) CHECK(v == 0);
}

TEST_CASE("LBP is VLFeat's") {
  const LbpCells got = lbp_cells(test_picture(), 12);
  CHECK(got.rows == 3);
  CHECK(got.columns == 3);
  CHECK(worst(got.values, algorithms().at("lbp12").get<std::vector<float>>()) < 1e-5);
  // Over a whole picture: each inner pixel once.
  double squares = 0;
  for (const float v : lbp_histogram(test_picture())) squares += double{v} * double{v};
  CHECK(squares == doctest::Approx(1));
  CHECK(lbp_histogram(Grey(2, 9)) == std::vector<float>(58));
  CHECK(lbp_histogram(Grey(5, 5))[56] == 1);
}

TEST_CASE("HOG is scikit-image's") {
  for (const json& c : golden("hog.json", "make_hog_goldens.py")) {
    const auto got = hog_descriptor(test_picture(c.at("height"), c.at("width")),
                                    {.cell = c.at("cell"), .block = c.at("block")});
    CHECK(worst(got, c.at("values").get<std::vector<float>>()) < 1e-5);
  }
  CHECK(hog_descriptor(Grey(128, 128)).size() == 8100);
  CHECK_THROWS_AS(hog_descriptor(Grey(15, 40)), Error);
}

TEST_CASE("GIST is what plain sums say") {
  const GistOptions o{.size = 8, .scales = 2, .orientations = 3, .grid = 2};
  const Grey image = test_picture(8, 8);
  const std::vector<double> even = even_contrast(image);
  const auto wave = [](int64_t a, int64_t b, double sign) {
    return std::polar(1.0, sign * 2 * std::numbers::pi * static_cast<double>(a * b) / 8);
  };
  std::vector<float> expected;
  for (int64_t scale = 0; scale < 2; ++scale)
    for (int64_t turn = 0; turn < 3; ++turn) {
      const std::vector<double> filter = gist_filter(o, scale, turn);
      std::vector<double> means(4);
      for (int64_t y = 0; y < 8; ++y)
        for (int64_t x = 0; x < 8; ++x) {
          std::complex<double> response = 0;
          for (int64_t fy = 0; fy < 8; ++fy)
            for (int64_t fx = 0; fx < 8; ++fx) {
              std::complex<double> frequency = 0;
              for (int64_t v = 0; v < 8; ++v)
                for (int64_t u = 0; u < 8; ++u)
                  frequency +=
                      even[static_cast<size_t>(v * 8 + u)] * wave(fy, v, -1) * wave(fx, u, -1);
              response += frequency * filter[static_cast<size_t>(fy * 8 + fx)] * wave(fy, y, 1) *
                          wave(fx, x, 1) / 64.0;
            }
          means[static_cast<size_t>(y / 4 * 2 + x / 4)] += std::abs(response) / 16;
        }
      for (const double m : means) expected.push_back(static_cast<float>(m));
    }
  CHECK(worst(gist(image, o), expected) < 1e-5);
  CHECK_THROWS_AS(gist(test_picture(8, 9), o), Error);

  // Stripes answer to the filter that looks along them.
  Grey across(128, 128);
  for (int64_t y = 0; y < 128; ++y)
    for (int64_t x = 0; x < 128; ++x)
      across.at(y, x) =
          128 +
          100 * static_cast<float>(std::sin(0.3 * 2 * std::numbers::pi * static_cast<double>(x)));
  const std::vector<float> seen = gist(across);
  REQUIRE(seen.size() == 512);
  const auto largest = std::max_element(seen.begin(), seen.end()) - seen.begin();
  CHECK(largest / 16 == 0);  // the finest scale, the first orientation
}

TEST_CASE("linear SVM is LIBLINEAR's") {
  Tensor x({60, 5});
  std::vector<int8_t> y;
  std::vector<int64_t> rows(60);
  std::iota(rows.begin(), rows.end(), int64_t{0});
  for (int64_t i = 0; i < 60; ++i) {
    y.push_back(i % 2 ? 1 : -1);
    for (int64_t j = 0; j < 5; ++j)
      x.data()[i * 5 + j] =
          static_cast<float>(static_cast<double>((i * 73 + j * 149 + i * j * 31) % 101) / 50 - 1 +
                             (i % 2 && j < 2 ? 0.6 : 0));
  }
  const json cases = algorithms().at("svm");
  REQUIRE(cases.size() == 4);
  for (const json& c : cases) {
    const bool hinge = c.at("solver") == 3;
    const double C = c.at("C");
    CAPTURE(hinge);
    CAPTURE(C);
    const LinearSvm got =
        train_linear_svm({x, rows, y}, {.loss = hinge ? SvmLoss::hinge : SvmLoss::squared_hinge,
                                        .C = C,
                                        .eps = 1e-6,
                                        .max_passes = 100000});
    CHECK(got.converged);
    const auto w = c.at("w").get<std::vector<double>>();
    double primal = 0;
    for (size_t j = 0; j < w.size(); ++j) {
      CHECK(got.w[j] == doctest::Approx(w[j]).epsilon(1e-3));
      primal += 0.5 * w[j] * w[j];
    }
    for (int64_t i = 0; i < 60; ++i) {
      double f = w[5];
      for (int64_t j = 0; j < 5; ++j) f += w[static_cast<size_t>(j)] * double{x.data()[i * 5 + j]};
      const double loss = std::max(0.0, 1 - y[static_cast<size_t>(i)] * f);
      primal += C * (hinge ? loss : loss * loss);
    }
    // At the optimum the dual's value is the primal's, with the other sign.
    CHECK(got.objective == doctest::Approx(-primal).epsilon(1e-4));
  }
}

TEST_CASE("linear SVM: warm starts, weights and what it refuses") {
  const Tensor x = random_rows(40, 3, 7);
  std::vector<int8_t> y;
  std::vector<int64_t> rows, labels;
  for (int64_t i = 0; i < 40; ++i) {
    rows.push_back(i);
    labels.push_back(x.data()[3 * i] > 0.8f ? 2 : 0);
    y.push_back(labels.back() == 2 ? 1 : -1);
  }
  const LinearSvmOptions o{.eps = 1e-5, .max_passes = 20000};
  std::vector<double> alpha(40);
  const LinearSvm cold = train_linear_svm({x, rows, y}, o, &alpha);
  const LinearSvm warm = train_linear_svm({x, rows, y}, o, &alpha);
  CHECK(warm.passes < cold.passes);
  CHECK(warm.objective == doctest::Approx(cold.objective));
  LinearSvmOptions heavy = o;
  heavy.positive_weight = 20;
  const LinearSvm lifted = train_linear_svm({x, rows, y}, heavy);
  int64_t before = 0, after = 0;
  for (int64_t i = 0; i < 40; ++i) {
    before += cold.decision(x.data() + 3 * i) > 0;
    after += lifted.decision(x.data() + 3 * i) > 0;
  }
  CHECK(after >= before);

  const LinearClassifier all = train_one_vs_rest(x, labels, 3, o);
  const std::vector<int64_t> said = all.predict(x);
  int64_t right = 0;
  for (size_t i = 0; i < 40; ++i) right += said[i] == labels[i];
  CHECK(right >= 38);
  CHECK(std::count(said.begin(), said.end(), 1) == 0);  // the class without rows
  CHECK_THROWS_AS(train_one_vs_rest(x, labels, 3, {.C = 0}), Error);
  Tensor broken = x.clone();
  broken.data()[5] = std::nanf("");
  CHECK_THROWS_AS(train_one_vs_rest(broken, labels, 3, o), Error);
  CHECK_THROWS_AS(all.decisions(Tensor({2, 4})), Error);
}

TEST_CASE("k-means lowers its objective and finds planted clusters") {
  const int64_t k = 12, each = 30, d = 11;
  const Tensor places = random_rows(k, d, 1);
  Tensor x = random_rows(k * each, d, 2);
  for (int64_t i = 0; i < k * each; ++i)
    for (int64_t j = 0; j < d; ++j)
      x.data()[i * d + j] = 0.1f * x.data()[i * d + j] + 5 * places.data()[i % k * d + j];
  const KMeans got = kmeans(x, {.clusters = k, .seed = 3});
  REQUIRE(got.objective.size() >= 2);
  for (size_t i = 1; i < got.objective.size(); ++i) CHECK(got.objective[i] <= got.objective[i - 1]);
  const std::vector<int64_t> nearest = nearest_centres(got.centres, x);
  for (int64_t i = 0; i < k * each; ++i)
    CHECK(nearest[static_cast<size_t>(i)] == nearest[static_cast<size_t>(i % k)]);
  CHECK(std::set<int64_t>(nearest.begin(), nearest.end()).size() == static_cast<size_t>(k));

  // Noise takes many rounds; they too only go down, at any number of threads alike.
  const Tensor noise = random_rows(2000, d, 4);
  set_threads(1);
  const KMeans one = kmeans(noise, {.clusters = 40, .seed = 5});
  set_threads(2);
  const KMeans two = kmeans(noise, {.clusters = 40, .seed = 5});
  set_threads(0);
  CHECK(one.objective.size() > 4);
  for (size_t i = 1; i < one.objective.size(); ++i) CHECK(one.objective[i] <= one.objective[i - 1]);
  CHECK(one.objective == two.objective);
  // The nearest by plain distances.
  const std::vector<int64_t> labels = nearest_centres(one.centres, noise);
  for (int64_t i = 0; i < 2000; i += 37) {
    int64_t best = 0;
    double least = 1e300;
    for (int64_t c = 0; c < 40; ++c) {
      double sum = 0;
      for (int64_t j = 0; j < d; ++j)
        sum += std::pow(double{noise.data()[i * d + j]} - double{one.centres.data()[c * d + j]}, 2);
      if (sum < least) {
        least = sum;
        best = c;
      }
    }
    CHECK(labels[static_cast<size_t>(i)] == best);
  }
  // No more clusters than distinct rows.
  CHECK(kmeans(Tensor({6, 2}), {.clusters = 4}).centres.dim(0) == 1);
  CHECK_THROWS_AS(kmeans(Tensor({0, 2}), {}), Error);
}

TEST_CASE("pLSA's likelihood never falls, and it finds planted topics") {
  // Topic t speaks of words 5 t to 5 t + 4; a document mixes two topics.
  const int64_t topics = 4, words = 20;
  Random random(9);
  std::vector<WordCounts> documents;
  for (int64_t d = 0; d < 120; ++d) {
    std::vector<float> counts(static_cast<size_t>(words));
    for (int64_t i = 0; i < 60; ++i) {
      const int64_t topic = random.uniform() < 0.7 ? d % topics : (d / topics) % topics;
      counts[static_cast<size_t>(topic * 5 + random.below(5))] += 1;
    }
    WordCounts document;
    for (int64_t w = 0; w < words; ++w)
      if (counts[static_cast<size_t>(w)] > 0)
        document.emplace_back(static_cast<int32_t>(w), counts[static_cast<size_t>(w)]);
    documents.push_back(document);
  }
  const Plsa got =
      plsa(documents, words, {.topics = topics, .max_rounds = 200, .tolerance = 1e-7, .seed = 2});
  REQUIRE(got.likelihood.size() > 3);
  for (size_t i = 1; i < got.likelihood.size(); ++i)
    CHECK(got.likelihood[i] >= got.likelihood[i - 1] - 1e-6 * std::abs(got.likelihood[i]));
  std::set<int64_t> found;
  for (int64_t t = 0; t < topics; ++t) {
    std::vector<double> mass(4);
    double sum = 0;
    for (int64_t w = 0; w < words; ++w) {
      mass[static_cast<size_t>(w / 5)] += double{got.word_given_topic.data()[w * topics + t]};
      sum += double{got.word_given_topic.data()[w * topics + t]};
    }
    CHECK(sum == doctest::Approx(1));
    const auto best = std::max_element(mass.begin(), mass.end());
    CHECK(*best > 0.95);
    found.insert(best - mass.begin());
  }
  CHECK(found.size() == 4);
  // A new document of planted topic 2's words.
  const std::vector<float> mixed = topics_of(got, {{10, 3.0f}, {11, 2.0f}, {13, 4.0f}});
  CHECK(*std::max_element(mixed.begin(), mixed.end()) > 0.95);
  CHECK(topics_of(got, {}) == std::vector<float>(4, 0.25f));
  CHECK_THROWS_AS(plsa({{}, {}}, words, {}), Error);
  CHECK_THROWS_AS(plsa({{{20, 1.0f}}}, words, {}), Error);
}
