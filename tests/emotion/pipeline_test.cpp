#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "limbic/weights/safetensors.h"
#include "tests/emotion/pipeline.h"

using namespace limbic;
using namespace limbic::emotion;
using namespace limbic::io;
using namespace limbic::models;
using namespace limbic::weights;
using namespace limbic::testing;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

// Every file below a folder, by its path within.
std::map<std::string, std::vector<uint8_t>> bytes_below(const std::string& folder) {
  std::map<std::string, std::vector<uint8_t>> out;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) out[fs::relative(entry.path(), folder)] = read_file(entry.path());
  return out;
}

}  // namespace

TEST_CASE("fusion: the weights of alpha and of beta") {
  const std::vector<std::string> roles = {"diff1", "diff2", "supplement"};
  using Weights = std::vector<double>;
  CHECK(block_weights(Fusion::with_alpha(0.3), roles) == Weights{0.3, 0.7, 1});
  CHECK(block_weights(Fusion::with_alpha(0), roles) == Weights{0, 1, 1});
  CHECK(block_weights(Fusion::with_beta(0.25), roles) == Weights{0.75, 0.75, 0.25});
  CHECK(block_weights(Fusion::with_beta(1), {"diff2", "supplement"}) == Weights{0, 1});
  CHECK(block_weights({}, {"diff1"}) == Weights{0.5});
  for (double bad : {-0.1, 1.1, double{NAN}, double{INFINITY}}) {
    CHECK_THROWS_AS(check(Fusion::with_alpha(bad)), Error);
    CHECK_THROWS_AS(check(Fusion::with_beta(bad)), Error);
  }
  CHECK(block_weights(Fusion::with_both(0.25, 0.2), roles) == Weights{0.8 * 0.25, 0.8 * 0.75, 0.2});
  CHECK(block_weights(Fusion::with_both(0.25, 0), roles) == Weights{0.25, 0.75, 0});
  CHECK(block_weights(Fusion::with_beta(0.2), {"diff1", "clip"}) == Weights{0.8, 1});
  CHECK_THROWS_AS(check(Fusion{std::nullopt, std::nullopt}), Error);

  const Tensor a = noise({2, 3}, 1), b = noise({2, 1}, 2);
  const Tensor joined = join_blocks({a, b});
  CHECK(joined.shape() == Shape{2, 4});
  CHECK(joined.data()[3] == b.data()[0]);
  CHECK(joined.data()[4] == a.data()[3]);
  CHECK_THROWS_AS(join_blocks({a, noise({3, 1}, 1)}), Error);
}

TEST_CASE("fusion: alpha = 1/2 and beta = 2/3 are one classifier, scaled") {
  const std::vector<std::string> roles = {"diff1", "diff2", "supplement"};
  BranchFeatures train, test;
  for (int64_t i = 0; i < 90; ++i) train.labels.push_back(i % 3);
  for (size_t k = 0; k < 3; ++k) {
    Tensor block = noise({90, 6}, k + 1);
    for (int64_t i = 0; i < 90; ++i) block.data()[i * 6 + i % 3] += 1.0f;  // weak signal
    train.blocks.push_back(block);
    test.blocks.push_back(noise({200, 6}, k + 11));
  }
  const auto labels_of = [&](const Fusion& fusion) {
    const FusionClassifier c = train_classifier(roles, train, 3, {.fusion = fusion, .C = 1.5});
    return classify(c, roles, test.blocks, 3).labels;
  };
  const auto alpha = labels_of(Fusion::with_alpha(0.5));
  const auto beta = labels_of(Fusion::with_beta(2.0 / 3));
  int same = 0;
  for (size_t i = 0; i < alpha.size(); ++i) same += alpha[i] == beta[i];
  CHECK(same >= 199);  // the SMO's tolerance may turn a picture on the border
  const auto other = labels_of(Fusion::with_beta(0.05));
  CHECK(other != alpha);
  CHECK(std::set<int64_t>(alpha.begin(), alpha.end()).size() == 3);
}

TEST_CASE("feature cache: nothing is computed twice, and each key has its own rows") {
  const TemporaryFolder folder;
  const Dataset data = make_pictures(folder, 4);
  const ExtractOptions options{.batch_size = 5, .cache = folder / "cache"};
  const Branch branch = small_branch("diff1", 1);
  using Counts = std::vector<int64_t>;
  const BranchFeatures first = extract_features({branch}, data, options);
  REQUIRE(first.blocks.size() == 1);
  CHECK(first.blocks[0].shape() == Shape{12, 64});
  CHECK((first.skipped.empty() && first.notes.empty()));
  CHECK(first.computed == Counts{12});
  const auto before = bytes_below(folder / "cache");
  const BranchFeatures second = extract_features({branch}, data, options);
  CHECK(second.computed == Counts{0});
  CHECK(equal_bits(second.blocks[0], first.blocks[0]));
  CHECK(bytes_below(folder / "cache") == before);
  CHECK(extract_features({branch}, data, {}).computed == Counts{12});

  // Found again under another name, in another order; one that is new is added.
  Dataset renamed = data;
  fs::rename(data.samples[3].path, folder / "set/fear/renamed.png");
  renamed.samples[3].path = folder / "set/fear/renamed.png";
  std::swap(renamed.samples[0], renamed.samples[3]);
  BranchFeatures again = extract_features({branch}, renamed, options);
  CHECK(again.computed == Counts{0});
  CHECK(equal_bits(again.blocks[0].rows(0, 1), first.blocks[0].rows(3, 4)));
  CHECK(equal_bits(again.blocks[0].rows(3, 4), first.blocks[0].rows(0, 1)));
  fs::rename(folder / "set/fear/renamed.png", data.samples[3].path);
  write_png(data.samples[3].path, random_picture(16, 16, 999));
  CHECK(extract_features({branch}, data, options).computed == Counts{1});
  CHECK(bytes_below(folder / "cache").size() == 2);
  for (const auto& [name, bytes] : before) CHECK(bytes_below(folder / "cache").at(name) == bytes);
  CHECK(extract_features({branch}, data, options).computed == Counts{0});

  // Other weights, layers, presets or architectures have their own rows, and replace the old ones.
  Branch other = branch;
  other.network.parameters = build_model("resnet8", 3).graph.initialise(2);
  other.hash = "another";
  const auto check_other = [&] {
    const BranchFeatures f = extract_features({other}, data, options);
    CHECK(f.computed == Counts{12});
    CHECK(equal_bits(f.blocks[0], extract_features({other}, data, {.batch_size = 5}).blocks[0]));
    CHECK(std::distance(fs::directory_iterator(folder / "cache"), {}) == 1);
  };
  check_other();
  other = branch;
  other.network.preset = with_image_size(branch.network.preset, 24);
  check_other();
  other.network.preset.apply_exif = !other.network.preset.apply_exif;
  check_other();
  other.layer = "logits";
  check_other();
  other.softmax = true;
  check_other();
  // That of another CNN of the same run stays.
  const std::vector<Branch> both = {branch, small_branch("diff2", 2)};
  CHECK(extract_features(both, data, options).computed == Counts{12, 12});
  CHECK(extract_features(both, data, options).computed == Counts{0, 0});
  CHECK(std::distance(fs::directory_iterator(folder / "cache"), {}) == 2);
}

TEST_CASE("feature cache: damage is not believed, and what was saved before a kill is there") {
  const TemporaryFolder folder;
  const Dataset data = make_pictures(folder, 4);
  const ExtractOptions options{.batch_size = 5, .cache = folder / "cache"};
  const Branch branch = small_branch("diff1", 1);
  const Tensor rows = extract_features({branch}, data, options).blocks[0];
  const auto [name, bytes] = *bytes_below(folder / "cache").begin();
  const std::string path = folder / "cache" + "/" + name;
  const auto damage = [&, &whole = bytes](const std::vector<uint8_t>& content) {
    write_bytes(path, content);
    const BranchFeatures f = extract_features({branch}, data, options);
    CHECK(f.computed == std::vector<int64_t>{12});
    CHECK(equal_bits(f.blocks[0], rows));
    CHECK(read_file(path) == whole);  // written anew
  };
  damage({});
  damage({'t', 'e', 'x', 't'});
  for (size_t cut : {size_t{7}, size_t{100}, bytes.size() / 2, bytes.size() - 1})
    damage({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(cut)});
  Random random(3);
  for (int i = 0; i < 40; ++i) {  // values of rows
    auto flipped = bytes;
    const auto at = bytes.size() - 1 - static_cast<size_t>(random.below(12 * 64 * 4));
    flipped[at] = static_cast<uint8_t>(flipped[at] ^ (1 << random.below(8)));
    damage(flipped);
  }
  const Tensor wrong({12, 64});
  for (const std::string pictures : {"[]", "{}", "7", "[1,2,3,4,5,6,7,8,9,10,11,12]", "[\"a\"]"}) {
    CAPTURE(pictures);
    write_safetensors(path, {{"features", wrong}},
                      {{"pictures", pictures}, {"paths", pictures}, {"sha256", "x"}});
    CHECK(equal_bits(extract_features({branch}, data, options).blocks[0], rows));
  }
  // A run that was killed in the middle of a write: one file whole, one half, one temporary.
  Dataset half = data;
  half.samples.resize(5);
  fs::remove_all(folder / "cache");
  extract_features({branch}, half, options);
  const std::string saved = bytes_below(folder / "cache").begin()->first;
  write_text(fs::path(folder / "cache" + "/" + saved).parent_path() / "0123.safetensors.tmp.1",
             "half");
  const BranchFeatures rest = extract_features({branch}, data, options);
  CHECK(rest.computed == std::vector<int64_t>{7});
  CHECK(equal_bits(rest.blocks[0], rows));
}

TEST_CASE(
    "feature cache: its writes grow with the pictures, and where it cannot write it says so") {
  const TemporaryFolder folder;
  const Dataset data = make_pictures(folder, 44);  // 132 batches of one
  const Branch branch = small_branch("diff1", 1);
  CHECK(
      extract_features({branch}, data, {.batch_size = 1, .cache = folder / "cache"}).notes.empty());
  size_t total = 0, rows = 0;
  for (const auto& [name, bytes] : bytes_below(folder / "cache")) {
    total += bytes.size();
    rows += static_cast<size_t>(
        read_safetensors(folder / "cache" + "/" + name).tensors.at("features").dim(0));
  }
  CHECK(bytes_below(folder / "cache").size() == 3);  // after 64, 128 and all batches
  CHECK(rows == 132);
  CHECK(total < 132 * (64 * 4 + 400));
  // A file in the place of the folder: nothing can be made below it, not even by root.
  write_text(folder / "file", "text");
  const BranchFeatures f =
      extract_features({branch}, data, {.batch_size = 1, .cache = folder / "file"});
  CHECK(f.blocks[0].dim(0) == 132);
  REQUIRE(f.notes.size() == 1);
  CHECK(f.notes[0].find(folder / "file") != std::string::npos);
  FitOptions o = small_fit(folder / "model", 0);
  write_text(folder / "model/cache", "text");
  const FitResult fitted = fit(data, o);
  CHECK(load_model(folder / "model").classes == data.classes);
  CHECK(std::count_if(fitted.notes.begin(), fitted.notes.end(), [](const std::string& text) {
          return text.find("not kept for another run") != std::string::npos;
        }) == 2);  // one for each CNN
}

TEST_CASE(
    "features: pictures that cannot be read are skipped; the supplement gives probabilities") {
  const TemporaryFolder folder;
  const Dataset data = make_pictures(folder, 3);
  testing::write_text(data.samples[1].path, "text");
  fs::remove(data.samples[5].path);
  Branch supplement = small_branch("supplement", 2);
  supplement.layer = "logits";
  supplement.softmax = true;
  const BranchFeatures f =
      extract_features({small_branch("diff1", 1), supplement}, data, {.batch_size = 4});
  CHECK(f.indices == std::vector<int64_t>{0, 2, 3, 4, 6, 7, 8});
  CHECK(f.labels == std::vector<int64_t>{0, 0, 1, 1, 2, 2, 2});
  REQUIRE(f.skipped.size() == 2);
  CHECK(f.skipped[0].path == data.samples[1].path);
  CHECK(f.skipped[1].path == data.samples[5].path);
  REQUIRE(f.blocks[1].shape() == Shape{7, 3});
  for (int64_t i = 0; i < 7; ++i) {
    double sum = 0;
    for (float p : f.blocks[1].rows(i, i + 1).values()) sum += p;
    CHECK(sum == doctest::Approx(1).epsilon(1e-6));
  }
  CHECK_THROWS_AS(extract_features({}, data, {}), Error);
}

TEST_CASE("fit: epochs 0 uses all pictures; a saved model predicts the same") {
  const TemporaryFolder folder;
  const Dataset data = make_pictures(folder, 6);
  const FitResult r = fit(data, small_fit(folder / "model", 0));
  CHECK(r.train.size() == data.size());
  CHECK(r.test.size() == 0);
  CHECK(r.trainings.empty());
  CHECK(r.train_features.labels.size() == 18);
  CHECK(r.model.roles() == std::vector<std::string>{"diff1", "diff2"});
  const EmotionModel loaded = load_model(folder / "model");
  CHECK(loaded.classes == data.classes);
  const Prediction before = predict_all(r.model, data), after = predict_all(loaded, data);
  CHECK(equal_bits(before.probabilities, after.probabilities));
  CHECK(before.labels == after.labels);
  CHECK(before.dense_labels == after.dense_labels);
  int right = 0;
  for (int64_t i = 0; i < 18; ++i) {
    right += before.labels[static_cast<size_t>(i)] == data.samples[static_cast<size_t>(i)].label;
    const auto row = before.probabilities.rows(i, i + 1).values<double>();
    CHECK(std::max_element(row.begin(), row.end()) - row.begin() ==
          before.labels[static_cast<size_t>(i)]);
  }
  CHECK(right >= 16);
}

TEST_CASE("fit: one epoch holds pictures out, and a second fit takes the features it has") {
  const TemporaryFolder folder;
  const Dataset data = make_pictures(folder, 10);
  FitOptions o = small_fit(folder / "model", 1);
  const FitResult r = fit(data, o);
  CHECK(r.train.size() + r.test.size() == 30);
  CHECK(r.test.size() >= 3);
  CHECK(r.svm.samples == r.test.size());
  CHECK(r.trainings.count("diff1") == 1);
  CHECK(r.trainings.at("diff2").epochs.size() == 1);
  CHECK(r.single.count("diff1") == 1);
  CHECK(equal_bits(predict_all(load_model(folder / "model"), data).probabilities,
                   predict_all(r.model, data).probabilities));
  o.training.resume = true;
  const FitResult again = fit(data, o);
  CHECK(again.trainings.at("diff1").resumed_step > 0);
  CHECK(equal_bits(again.test_features.blocks[0], r.test_features.blocks[0]));
  CHECK(again.train_features.computed == std::vector<int64_t>{0, 0});
  CHECK(again.test_features.computed == std::vector<int64_t>{0, 0});

  o = small_fit("", 1);
  o.select_by_test = true;
  CHECK(fit(data, o).model.remarks.at("selection").find("--select test") != std::string::npos);
}

TEST_CASE("fit: goes on only with the pictures and weights that it began with, by content") {
  const TemporaryFolder folder;
  const Dataset data = make_pictures(folder, 10);
  FitOptions o = small_fit(folder / "model", 1);
  o.diff2.model = "none";
  fit(data, o);
  o.training.resume = true;
  const auto kept = read_file(data.samples[0].path);
  // All pictures of two classes change places: the same names, other contents.
  for (int i = 0; i < 10; ++i) {
    const std::string a = folder / str_cat("set/awe/", i, ".png"),
                      b = folder / str_cat("set/joy/", i, ".png");
    const auto bytes = read_file(a);
    fs::rename(b, a);
    write_bytes(b, bytes);
  }
  CHECK(error_of([&] { fit(data, o); }).find("pictures") != std::string::npos);
  for (int i = 0; i < 10; ++i) {
    const std::string a = folder / str_cat("set/awe/", i, ".png"),
                      b = folder / str_cat("set/joy/", i, ".png");
    const auto bytes = read_file(a);
    fs::rename(b, a);
    write_bytes(b, bytes);
  }
  CHECK(read_file(data.samples[0].path) == kept);
  CHECK(fit(data, o).trainings.at("diff1").resumed_step > 0);
}

TEST_CASE("fit: a part without a picture that can be read is met before the training") {
  const TemporaryFolder folder;
  const Dataset data = make_pictures(folder, 10);
  const FitOptions o = small_fit(folder / "model", 1);
  const auto hurt = [&](const Dataset& part) {
    std::map<std::string, std::vector<uint8_t>> kept;
    for (const Sample& s : part.samples) {
      kept[s.path] = read_file(s.path);
      write_text(s.path, "text");
    }
    const std::string text = error_of([&] { fit(data, o); });
    CHECK_FALSE(fs::exists(folder / "model/training"));
    for (const auto& [path, bytes] : kept) write_bytes(path, bytes);
    return text;
  };
  const Split parts = split(data, o.train_fraction, o.training.seed),
              inner = split(parts.train, o.train_fraction, o.training.seed + 1);
  CHECK(hurt(parts.held_out).find("held out to test can be read") != std::string::npos);
  CHECK(hurt(inner.held_out).find("to choose the epoch can be read") != std::string::npos);
  CHECK(hurt(inner.train).find("to learn from can be read") != std::string::npos);
  CHECK(hurt(data).find("to learn from") != std::string::npos);
}

TEST_CASE("fit: what cannot be is an Error before the work") {
  const TemporaryFolder folder;
  const Dataset data = make_pictures(folder, 3);
  FitOptions o = small_fit("", 0);
  o.diff1.model = o.diff2.model = "none";
  CHECK(error_of([&] { fit(data, o); }).find("none") != std::string::npos);
  o = small_fit("", 0);
  o.supplement = {.model = "resnet8"};
  CHECK(error_of([&] { fit(data, o); }).find("--supplement-weights") != std::string::npos);
  o = small_fit("", 0);
  o.classifier.fusion = {0.5, 1.5};
  CHECK(error_of([&] { fit(data, o); }) != "");
  o = small_fit("", 0);
  Dataset one = data;
  one.classes.resize(1);
  one.samples.resize(3);
  CHECK(error_of([&] { fit(one, o); }).find("two classes") != std::string::npos);
  for (const Sample& s : data.samples)
    if (s.label > 0) testing::write_text(s.path, "text");
  CHECK(error_of([&] { fit(data, o); }).find("'awe'") != std::string::npos);
}

TEST_CASE(
    "fit: what it could not do as asked, it says; weights that were trained have their hash") {
  const TemporaryFolder folder;
  const Dataset data = make_pictures(folder, 6);
  const auto has_note = [](const FitResult& r, const std::string& part) {
    return std::any_of(r.notes.begin(), r.notes.end(), [&](const std::string& note) {
      return note.find(part) != std::string::npos;
    });
  };
  const FitResult free = fit(data, small_fit(folder / "free", 0));
  CHECK_FALSE(has_note(free, "iteration limit"));

  // Two pictures a class: none can be spared to choose the epoch by.
  const TemporaryFolder few;
  const FitResult trained = fit(make_pictures(few, 2), small_fit(few / "model", 1));
  CHECK(has_note(trained, "too few pictures to hold some out: the last epoch is taken"));
  for (const Branch& b : trained.model.branches) {
    CHECK(b.hash.size() == 64);
    CHECK(b.hash != free.model.branches[b.role == "diff1" ? 0 : 1].hash);
  }
}
