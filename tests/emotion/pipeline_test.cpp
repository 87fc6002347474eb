#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "emotion/fit.h"
#include "tests/io/pictures.h"
#include "weights/safetensors.h"

using namespace limbic;
using nlohmann::json;
using testing::error_of;
using testing::TemporaryFolder;
namespace fs = std::filesystem;

namespace {

// Each class a colour, the rest noise.
Dataset make_pictures(const TemporaryFolder& folder, int64_t per_class) {
  const std::vector<std::string> classes = {"awe", "fear", "joy"};
  for (size_t c = 0; c < 3; ++c)
    for (int64_t i = 0; i < per_class; ++i) {
      Picture picture = testing::random_picture(16, 16, 100 * c + static_cast<uint64_t>(i));
      for (size_t at = 0; at < picture.pixels.size(); ++at)
        picture.pixels[at] = static_cast<uint8_t>(picture.pixels[at] / 2 + (at % 3 == c ? 120 : 0));
      testing::write_png(folder / ("set/" + classes[c] + "/" + std::to_string(i) + ".png"),
                         picture);
    }
  return list_folders(folder / "set");
}

Branch small_branch(const std::string& role, uint64_t seed) {
  const Model model = build_model("resnet8", 3);
  Branch b{.role = role, .model = "resnet8", .classes = 3};
  b.parameters = model.graph.initialise(seed);
  b.preset = with_image_size(find_preset("cifar"), 16);
  b.hash = "hash of " + role;
  return b;
}

bool equal_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() &&
         std::memcmp(a.raw(), b.raw(), static_cast<size_t>(a.bytes())) == 0;
}

Tensor noise(const Shape& shape, uint64_t seed) {
  Tensor out(shape);
  Random random(seed);
  for (float& x : out.values()) x = static_cast<float>(random.normal());
  return out;
}

FitOptions small_fit(const std::string& out, int64_t epochs) {
  FitOptions o;
  o.out = out;
  o.diff1 = {.model = "resnet8", .preset = "cifar", .image_size = 16};
  o.diff2 = {.model = "resnet14", .preset = "cifar", .image_size = 16};
  o.training.epochs = epochs;
  o.training.batch_size = 6;
  o.training.learning_rate = 0.05;
  return o;
}

Prediction predict_all(const EmotionModel& model, const Dataset& data) {
  const BranchFeatures f = extract_features(model.branches, data, {});
  return classify(model.classifier, model.roles(), f.blocks,
                  static_cast<int64_t>(model.classes.size()));
}

std::string only_file(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  REQUIRE(files.size() == 1);
  return files[0];
}

void edit_json(const std::string& path, const std::function<void(json&)>& edit) {
  const auto bytes = read_file(path);
  json j = json::parse(bytes.begin(), bytes.end());
  edit(j);
  testing::write_text(path, j.dump());
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

TEST_CASE("model folder: damage of any kind is an Error") {
  const TemporaryFolder folder;
  const Dataset data = make_pictures(folder, 4);
  const std::string whole = folder / "model", hurt = folder / "hurt";
  FitOptions o = small_fit(whole, 0);
  o.diff2 = o.diff1;
  fit(data, o);
  fs::remove_all(whole + "/cache");

  // Copies the model, damages the copy; gives the message of loading and using it.
  const auto message = [&](const std::function<void()>& damage) {
    fs::remove_all(hurt);
    fs::copy(whole, hurt, fs::copy_options::recursive);
    damage();
    return error_of([&] { predict_all(load_model(hurt), data); });
  };
  CHECK(message([] {}) == "");
  CHECK(error_of([&] { load_model(folder / "nowhere"); }).find("limbic fit") != std::string::npos);

  for (const std::string file :
       {"model.json", "diff1.safetensors", "diff2.safetensors", "classifier.safetensors"}) {
    CAPTURE(file);
    const std::string path = hurt + "/" + file;
    const auto bytes = read_file(whole + "/" + file);
    CHECK(message([&] { fs::remove(path); }) != "");
    CHECK(message([&] {
            fs::remove(path);
            fs::create_directory(path);
          }) != "");
    for (int64_t part = 0; part < 16; ++part) {
      const auto cut = static_cast<std::ptrdiff_t>(bytes.size()) * part / 16;
      const std::string text = message([&] {
        testing::write_bytes(path, {bytes.begin(), bytes.begin() + cut});
      });
      CAPTURE(cut);
      CHECK(text.find(file) != std::string::npos);
      CHECK(text.find('\n') == std::string::npos);
    }
  }

  CHECK(message([&] {
          fs::rename(hurt + "/diff1.safetensors", hurt + "/x");
          fs::rename(hurt + "/classifier.safetensors", hurt + "/diff1.safetensors");
          fs::rename(hurt + "/x", hurt + "/classifier.safetensors");
        }) != "");
  // Two CNNs of one architecture: only the stored hash can tell.
  CHECK(message([&] {
          fs::rename(hurt + "/diff1.safetensors", hurt + "/x");
          fs::rename(hurt + "/diff2.safetensors", hurt + "/diff1.safetensors");
          fs::rename(hurt + "/x", hurt + "/diff2.safetensors");
        }) != "");

  const std::vector<std::pair<std::string, std::function<void(json&)>>> edits = {
      {"no classes", [](json& j) { j.erase("classes"); }},
      {"fewer classes", [](json& j) { j["classes"].erase(2); }},
      {"more classes", [](json& j) { j["classes"].push_back("calm"); }},
      {"classes of another type", [](json& j) { j["classes"] = 3; }},
      {"another version", [](json& j) { j["limbic_model"] = 99; }},
      {"alpha out of range", [](json& j) { j["alpha"] = 2; }},
      {"alpha and beta", [](json& j) { j["beta"] = 0.5; }},
      {"neither", [](json& j) { j.erase("alpha"); }},
      {"alpha a text", [](json& j) { j["alpha"] = "half"; }},
      {"another architecture", [](json& j) { j["branches"][0]["model"] = "resnet14"; }},
      {"unknown architecture", [](json& j) { j["branches"][0]["model"] = "resnet19"; }},
      {"other classes of a CNN", [](json& j) { j["branches"][0]["classes"] = 4; }},
      {"negative classes", [](json& j) { j["branches"][0]["classes"] = -1; }},
      {"unknown layer", [](json& j) { j["branches"][0]["layer"] = "nowhere"; }},
      {"another layer", [](json& j) { j["branches"][0]["layer"] = "logits"; }},
      {"another role", [](json& j) { j["branches"][0]["role"] = "../diff1x"; }},
      {"one CNN less", [](json& j) { j["branches"].erase(1); }},
      {"no CNN", [](json& j) { j["branches"] = json::array(); }},
      {"a CNN twice", [](json& j) { j["branches"].push_back(j["branches"][0]); }},
      {"no preset", [](json& j) { j["branches"][0].erase("preset"); }},
      {"preset of no size", [](json& j) { j["branches"][0]["preset"]["crop"] = 0; }},
      {"no blocks", [](json& j) { j["blocks"] = json::array(); }},
      {"block too wide", [](json& j) { j["blocks"][0]["width"] = 65; }},
      {"block of negative width", [](json& j) { j["blocks"][0]["width"] = -1; }},
      {"block far out", [](json& j) { j["blocks"][1]["begin"] = int64_t{1} << 60; }},
      {"blocks overlap", [](json& j) { j["blocks"][1]["begin"] = 0; }},
      {"a list", [](json& j) { j = json::array(); }},
  };
  for (const auto& [name, edit] : edits) {
    const auto& label = name;  // clang 14 cannot capture a structured binding
    CAPTURE(label);
    const std::string text =
        message([&, &apply = edit] { edit_json(hurt + "/model.json", apply); });
    CAPTURE(text);
    CHECK(text != "");
    CHECK(text.find('\n') == std::string::npos);
  }

  const auto edit_classifier =
      [&](const std::function<void(std::map<std::string, Tensor>&)>& edit) {
        return message([&] {
          auto tensors = read_safetensors(whole + "/classifier.safetensors").tensors;
          edit(tensors);
          write_safetensors(hurt + "/classifier.safetensors", tensors);
        });
      };
  for (const auto& [name, tensor] : read_safetensors(whole + "/classifier.safetensors").tensors) {
    const std::string& key = name;
    CAPTURE(key);
    CHECK(edit_classifier([&](auto& t) { t.erase(key); }) != "");
    CHECK(edit_classifier([&](auto& t) { t[key] = Tensor({1}, DType::u8); }) != "");
    CHECK(edit_classifier([&](auto& t) { t[key] = Tensor({0}, t[key].dtype()); }) != "");
  }
  CHECK(edit_classifier([](auto& t) {
          t["svm.n_sv"] = Tensor::of(std::vector<int64_t>{-1, 2, 1}, {3});
        }) != "");
  CHECK(edit_classifier([](auto& t) {
          t["svm.classes"] = Tensor::of(std::vector<int32_t>{0, 1, 1}, {3});
        }) != "");
  CHECK(edit_classifier([](auto& t) {
          t["svm.gamma_temperature"] = Tensor::of(std::vector<double>{NAN, 1}, {2});
        }) != "");
}
