// The rows on small drawn pictures: each learns, and what is missing is said.
#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <set>

#include "limbic/baselines/baselines.h"
#include "limbic/core/parallel.h"
#include "limbic/core/random.h"
#include "limbic/demo/paintings.h"
#include "tests/temporary.h"

using namespace limbic;
using namespace limbic::baselines;
using testing::TemporaryFolder;

namespace {

// Paintings of four emotions, and objects that stand for pairs; drawn once for all tests.
struct Pictures {
  TemporaryFolder folder;
  io::Dataset train, validation, test;

  Pictures() {
    const std::vector<std::string> emotions = {"anger", "awe", "contentment", "sadness"};
    const demo::PaintOptions paint{.size = 48, .noise = 0.2};
    demo::paint_dataset(folder / "train", {.per_class = 20, .seed = 1, .paint = paint});
    demo::paint_dataset(folder / "validation", {.per_class = 6, .seed = 2, .paint = paint});
    demo::paint_dataset(folder / "test", {.per_class = 15, .seed = 3, .paint = paint});
    demo::paint_object_dataset(folder / "pairs", {.per_class = 5, .seed = 4, .paint = paint});
    for (const auto& [name, part] :
         {std::pair{"train", &train}, {"validation", &validation}, {"test", &test}}) {
      const io::Dataset all = io::list_folders(folder / name);
      part->classes = emotions;
      for (const io::Sample& s : all.samples) {
        const auto found =
            std::find(emotions.begin(), emotions.end(), all.classes[static_cast<size_t>(s.label)]);
        if (found != emotions.end()) part->samples.push_back({s.path, found - emotions.begin()});
      }
    }
  }
};

const Pictures& pictures() {
  static const Pictures drawn;
  return drawn;
}

Setting small_setting() {
  const Pictures& p = pictures();
  Setting s{.train = p.train, .validation = p.validation, .seed = 5, .image_size = 48};
  s.training.epochs = 8;
  s.training.batch_size = 16;
  s.training.learning_rate = 0.02;
  s.pairs = pictures().folder / "pairs";
  s.assisted_model = "resnet8";
  return s;
}

// The labels dealt out anew.
io::Dataset permuted(io::Dataset data, uint64_t seed) {
  std::vector<int64_t> labels;
  for (const io::Sample& s : data.samples) labels.push_back(s.label);
  Random(seed).shuffle(labels);
  for (size_t i = 0; i < labels.size(); ++i) data.samples[i].label = labels[i];
  return data;
}

// The least number of rights that chance, 1 of `classes`, reaches with a probability below 0.001.
int64_t beyond_chance(int64_t n, int64_t classes) {
  const double p = 1.0 / static_cast<double>(classes);
  double tail = 0;
  for (int64_t k = n; k >= 0; --k) {
    tail += std::exp(std::lgamma(n + 1.0) - std::lgamma(k + 1.0) - std::lgamma(n - k + 1.0) +
                     static_cast<double>(k) * std::log(p) +
                     static_cast<double>(n - k) * std::log(1 - p));
    if (tail >= 0.001) return k + 1;
  }
  return 0;
}

int64_t rights(const std::vector<int64_t>& said, const io::Dataset& data) {
  REQUIRE(said.size() == data.samples.size());
  int64_t out = 0;
  for (size_t i = 0; i < said.size(); ++i) out += said[i] == data.samples[i].label;
  return out;
}

// The pictures of the first and the third class.
io::Dataset two_of(const io::Dataset& data) {
  io::Dataset out{.classes = {data.classes[0], data.classes[2]}};
  for (const io::Sample& s : data.samples)
    if (s.label % 2 == 0) out.samples.push_back({s.path, s.label / 2});
  return out;
}

void check_learns(const std::string& name, const Setting& setting,
                  const io::Dataset& test = pictures().test) {
  CAPTURE(name);
  const Row& row = find_row(name);
  REQUIRE(row.needs(setting) == "");
  const auto learnt = row.learn(setting, {});
  const int64_t right = rights(learnt->predict(test, {}), test);
  MESSAGE(name, ": ", right, " of ", test.size());
  for (const std::string& note : learnt->notes) MESSAGE("  ", note);
  for (const Variant& v : learnt->variants())
    MESSAGE("  variant: ", v.name, ": ", rights(v.labels, test));
  CHECK(right >= beyond_chance(test.size(), std::ssize(test.classes)));
  CHECK(!learnt->notes.empty());
}

}  // namespace

TEST_CASE("rows: table 3 as it is printed") {
  std::vector<std::string> names;
  for (const Row& row : rows()) {
    names.push_back(row.name);
    CHECK((row.type == "handcrafted" || row.type == "deep"));
    CHECK(!row.source.empty());
    CHECK(!row.reading.empty());
  }
  CHECK(names == std::vector<std::string>{"sift", "hog", "sentibank", "deepsentibank", "alexnet",
                                          "binary-assisted", "liteemo"});
  CHECK(find_row("hog").printed == 0.4467);
  CHECK_THROWS_WITH_AS(find_row("gist"),
                       "unknown baseline 'gist'; known are sift, hog, sentibank, deepsentibank, "
                       "alexnet, binary-assisted, liteemo",
                       Error);
}

TEST_CASE("rows: chance's bound") {
  CHECK(beyond_chance(10, 2) == 10);  // 2^-10 < 0.001 <= 11 / 2^10
  CHECK(beyond_chance(9, 2) == 10);
}

TEST_CASE("rows: SIFT learns") { check_learns("sift", small_setting()); }
TEST_CASE("rows: HOG learns") { check_learns("hog", small_setting()); }
TEST_CASE("rows: SentiBank learns") { check_learns("sentibank", small_setting()); }
TEST_CASE("rows: DeepSentiBank learns") {
  Setting s = small_setting();
  s.training.epochs = 2;  // an epoch of so many weights takes long to end
  s.training.batch_size = 8;
  check_learns("deepsentibank", s);
}
TEST_CASE("rows: AlexNet learns") {
  // From nothing it learns slowly: two emotions that are easy to tell apart.
  Setting s = small_setting();
  s.train = two_of(s.train);
  s.validation = two_of(s.validation);
  s.training.epochs = 12;
  s.training.batch_size = 10;
  s.training.learning_rate = 0.02;
  check_learns("alexnet", s, two_of(pictures().test));
}
TEST_CASE("rows: Binary Assisted learns") { check_learns("binary-assisted", small_setting()); }
TEST_CASE("rows: LiteEmo learns") {
  Setting s = small_setting();
  s.lite_emotion = {.model = "keras_mobilenet_025_96"};
  s.lite_object = {.model = "keras_mobilenet_025_96"};
  check_learns("liteemo", s);
}

TEST_CASE("rows: labels that mean nothing give chance") {
  Setting s = small_setting();
  s.train = permuted(s.train, 7);
  s.validation = permuted(s.validation, 8);
  // The test's too: what the pictures have in common then helps nobody.
  const io::Dataset test = permuted(pictures().test, 9);
  for (const std::string name : {"sift", "hog", "sentibank", "binary-assisted"}) {
    CAPTURE(name);
    const auto learnt = find_row(name).learn(s, {});
    const int64_t right = rights(learnt->predict(test, {}), test);
    MESSAGE(name, ": ", right, " of ", test.size());
    CHECK(right < beyond_chance(test.size(), 4));
  }
}

TEST_CASE("rows: what is missing is said") {
  Setting s = small_setting();
  s.pairs = "";
  CHECK(find_row("sift").needs(s) == "");
  CHECK(find_row("hog").needs(s) == "");
  CHECK(find_row("alexnet").needs(s) == "");
  CHECK(find_row("sentibank")
            .needs(s)
            .starts_with("needs --pairs: a folder of adjective-noun pairs"));
  CHECK(find_row("deepsentibank").needs(s).starts_with("needs --deepsentibank-weights: "));
  CHECK(find_row("liteemo").needs(s).starts_with("needs --lite-emotion: "));
  CHECK_THROWS_AS(find_row("sentibank").learn(s, {}), Error);
  CHECK_THROWS_AS(find_row("deepsentibank").learn(s, {}), Error);
  CHECK_THROWS_AS(find_row("liteemo").learn(s, {}), Error);
  s.deepsentibank_weights = "pairs.safetensors";
  s.lite_emotion.weights = "mobilenet.pth";
  CHECK(find_row("deepsentibank").needs(s) == "");
  CHECK(find_row("liteemo").needs(s) == "");

  const Row& assisted = find_row("binary-assisted");
  CHECK(assisted.needs(s) == "");
  s.positive = {"awe", "joy"};
  CHECK(assisted.needs(s) ==
        "needs --positive to name classes of the data set (anger, awe, "
        "contentment, sadness); 'joy' is none");
  s.positive = s.train.classes;
  CHECK(assisted.needs(s) ==
        "needs --positive: which of the classes anger, awe, contentment, "
        "sadness are positive emotions; as it is, all are");
  s.positive = {};
  s.train.classes = {"happy", "sad"};
  CHECK(assisted.needs(s) ==
        "needs --positive: which of the classes happy, sad are positive "
        "emotions; as it is, none are");
  CHECK_THROWS_AS(assisted.learn(s, {}), Error);
}

TEST_CASE("rows: a picture that cannot be read is skipped, and -1") {
  const TemporaryFolder folder;
  std::ofstream(folder / "broken.png") << "no picture";
  Setting s = small_setting();
  s.train.samples.insert(s.train.samples.begin() + 3, {folder / "broken.png", 1});
  s.validation.samples.clear();  // folds choose
  io::Dataset test = pictures().test;
  test.samples.resize(5);
  test.samples.insert(test.samples.begin() + 2, {folder / "broken.png", 0});
  io::Dataset none = test;
  none.samples = {none.samples[2]};
  s.training.epochs = 1;
  for (const std::string name : {"sift", "hog", "sentibank", "binary-assisted"}) {
    CAPTURE(name);
    const auto learnt = find_row(name).learn(s, {});
    const std::vector<int64_t> said = learnt->predict(test, {});
    REQUIRE(said.size() == 6);
    for (size_t i = 0; i < 6; ++i) CHECK((said[i] == -1) == (i == 2));
    CHECK(learnt->predict(none, {}) == std::vector<int64_t>{-1});
    for (const Variant& v : learnt->variants()) CHECK(v.labels == std::vector<int64_t>{-1});
  }
  s.train.samples = {s.train.samples[3]};
  for (const std::string name : {"sift", "hog", "sentibank", "binary-assisted"}) {
    CAPTURE(name);
    CHECK_THROWS_AS(find_row(name).learn(s, {}), Error);
  }
}

TEST_CASE("rows: any number of threads, the same labels") {
  Setting s = small_setting();
  std::vector<std::vector<int64_t>> said;
  for (const int n : {1, 3}) {
    set_threads(n);
    for (const std::string name : {"sift", "hog", "sentibank"}) {
      const auto learnt = find_row(name).learn(s, {});
      said.push_back(learnt->predict(pictures().test, {}));
      for (const Variant& v : learnt->variants()) said.push_back(v.labels);
    }
  }
  set_threads(0);
  const size_t each = said.size() / 2;
  CHECK(each == 5);
  for (size_t i = 0; i < each; ++i) CHECK(said[i] == said[i + each]);
}

TEST_CASE("rows: a training that was killed goes on") {
  const TemporaryFolder folder;
  Setting s = small_setting();
  s.training.epochs = 2;
  const std::vector<int64_t> whole =
      find_row("binary-assisted").learn(s, {})->predict(pictures().test, {});
  s.out = folder / "out";
  int64_t steps = 0;
  const ProgressFunction kill = [&](const Progress& p) {
    if (p.task.find("classes: epoch 2") != std::string::npos && ++steps == 3)
      throw std::runtime_error("killed");
  };
  CHECK_THROWS_WITH(find_row("binary-assisted").learn(s, kill), "killed");
  std::set<std::string> tasks;
  const ProgressFunction watch = [&](const Progress& p) { tasks.insert(p.task); };
  const auto learnt = find_row("binary-assisted").learn(s, watch);
  CHECK(learnt->predict(pictures().test, {}) == whole);
  CHECK(tasks.contains("binary-assisted/classes: epoch 2/2"));
  CHECK(!tasks.contains("binary-assisted/classes: epoch 1/2"));
  CHECK(!tasks.contains("binary-assisted/binary: epoch 2/2"));
}

TEST_CASE("rows: from weights that the user has") {
  // A network that knows positive from negative stands for all of them.
  const TemporaryFolder folder;
  Setting s = small_setting();
  s.training.epochs = 4;
  s.out = folder / "out";
  find_row("binary-assisted").learn(s, {});
  const std::string weights = s.out + "/binary-assisted/binary/weights/best.safetensors";
  s.out = "";
  s.pairs = "";
  s.deepsentibank_weights = s.alexnet_weights = s.lite_object.weights = weights;
  s.alexnet_model = "resnet8";
  s.lite_emotion.model = "resnet8";
  s.lite_object.model = "";
  for (const std::string name : {"deepsentibank", "alexnet", "liteemo"}) {
    CAPTURE(name);
    const auto learnt = find_row(name).learn(s, {});
    CHECK(rights(learnt->predict(pictures().test, {}), pictures().test) >=
          beyond_chance(pictures().test.size(), 4));
    const auto tells = [&](const std::string& text) {
      return std::any_of(learnt->notes.begin(), learnt->notes.end(), [&](const std::string& note) {
        return note.find(text) != std::string::npos;
      });
    };
    CHECK(!tells("fresh weights"));
    CHECK(tells("layer2 and layer3 of the object stream's resnet8 stand in for it") ==
          (name == "liteemo"));
  }
}
