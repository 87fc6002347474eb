#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "tests/emotion/pipeline.h"
#include "weights/safetensors.h"

using namespace limbic;
using namespace limbic::testing;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

std::string only_file(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  REQUIRE(files.size() == 1);
  return files[0];
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
  CHECK_THROWS_AS(check(Fusion{0.5, 0.5}), Error);
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

TEST_CASE("feature cache: nothing is computed twice, and damage is not believed") {
  const TemporaryFolder folder;
  const Dataset data = make_pictures(folder, 4);
  const ExtractOptions options{.batch_size = 5, .cache = folder / "cache"};
  Branch branch = small_branch("diff1", 1);
  const BranchFeatures first = extract_features({branch}, data, options);
  REQUIRE(first.blocks.size() == 1);
  CHECK(first.blocks[0].shape() == Shape{12, 64});
  CHECK(first.skipped.empty());
  const std::string cache = only_file(folder / "cache");
  const auto bytes = read_file(cache);

  // Other weights under the same hash: what comes out can only come from the cache.
  Branch impostor = small_branch("diff1", 2);
  CHECK(equal_bits(extract_features({impostor}, data, options).blocks[0], first.blocks[0]));
  CHECK(read_file(cache) == bytes);
  CHECK_FALSE(equal_bits(extract_features({impostor}, data, {}).blocks[0], first.blocks[0]));

  // Found again under another name, in another order.
  Dataset renamed = data;
  fs::rename(data.samples[3].path, folder / "set/fear/renamed.png");
  renamed.samples[3].path = folder / "set/fear/renamed.png";
  std::swap(renamed.samples[0], renamed.samples[3]);
  const Tensor rows = extract_features({impostor}, renamed, options).blocks[0];
  CHECK(equal_bits(rows.rows(0, 1), first.blocks[0].rows(3, 4)));
  CHECK(equal_bits(rows.rows(3, 4), first.blocks[0].rows(0, 1)));
  fs::rename(folder / "set/fear/renamed.png", data.samples[3].path);

  // Another hash, preset or layer is another cache.
  Branch other = branch;
  other.hash = "another";
  extract_features({other}, data, options);
  other = branch;
  other.preset = with_image_size(branch.preset, 24);
  CHECK_FALSE(equal_bits(extract_features({other}, data, options).blocks[0], first.blocks[0]));
  CHECK(std::distance(fs::directory_iterator(folder / "cache"), {}) == 3);

  const auto damage = [&](const std::vector<uint8_t>& content) {
    testing::write_bytes(cache, content);
    CHECK(equal_bits(extract_features({branch}, data, options).blocks[0], first.blocks[0]));
    CHECK(read_file(cache) == bytes);  // written anew
  };
  damage({});
  damage({'t', 'e', 'x', 't'});
  for (size_t cut : {size_t{7}, size_t{100}, bytes.size() / 2, bytes.size() - 1})
    damage({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(cut)});
  const Tensor wrong({12, 64});
  for (const std::string pictures : {"[]", "{}", "7", "[1,2,3,4,5,6,7,8,9,10,11,12]", "[\"a\"]"}) {
    CAPTURE(pictures);
    write_safetensors(cache, {{"features", wrong}}, {{"pictures", pictures}, {"paths", pictures}});
    CHECK(equal_bits(extract_features({branch}, data, options).blocks[0], first.blocks[0]));
  }
  // Rows of another width than the network's.
  json hashes = json::array(), paths = json::array();
  for (const Sample& s : data.samples) {
    hashes.push_back(sha256_of_file(s.path));
    paths.push_back(s.path);
  }
  write_safetensors(cache, {{"features", Tensor({12, 3})}},
                    {{"pictures", hashes.dump()}, {"paths", paths.dump()}});
  CHECK(equal_bits(extract_features({branch}, data, options).blocks[0], first.blocks[0]));
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

  o = small_fit("", 1);
  o.select_by_test = true;
  CHECK(fit(data, o).model.remarks.at("selection").find("--select test") != std::string::npos);
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
  o.classifier.fusion = {0.5, 0.5};
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
