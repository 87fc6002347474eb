// The model folder is one thing: damage, mixtures and saves that fail.
#include <doctest/doctest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <csignal>
#include <set>

#include "limbic/hash/hash.h"
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

// The linker puts these before the system's own (tests/CMakeLists.txt): the n-th call from now on
// fails as on a full disk.
namespace {
int calls_until_failure = -1;
int64_t calls = 0;
bool fails_now() {
  ++calls;
  if (calls_until_failure < 0 || calls_until_failure-- > 0) return false;
  calls_until_failure = -1;
  errno = ENOSPC;
  return true;
}
}  // namespace
extern "C" {
int __real_rename(const char* from, const char* to);
int __wrap_rename(const char* from, const char* to) {
  return fails_now() ? -1 : __real_rename(from, to);
}
int __real_fsync(int descriptor);
int __wrap_fsync(int descriptor) { return fails_now() ? -1 : __real_fsync(descriptor); }
}

namespace {

// Files no longer than `bytes` can be written while it lives.
struct FullDisk {
  explicit FullDisk(rlim_t bytes) {
    handler = std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    const rlimit now{bytes, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &now);
  }
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
  }
  rlimit before{};
  void (*handler)(int) = nullptr;
};

json read_json(const std::string& path) {
  const auto bytes = read_file(path);
  return json::parse(bytes.begin(), bytes.end());
}

// As save_model would have written it.
void write_signed(const std::string& path, json j) {
  if (j.is_object()) {
    j.erase("sha256");
    const std::string text = j.dump();
    j["sha256"] = sha256({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  }
  write_text(path, j.dump(2));
}

std::map<std::string, std::vector<uint8_t>> contents(const std::string& dir) {
  std::map<std::string, std::vector<uint8_t>> out;
  for (const auto& entry : fs::directory_iterator(dir))
    if (entry.is_regular_file()) out[entry.path().filename()] = read_file(entry.path());
  return out;
}

// A fitted model folder and copies of it to be hurt.
struct Fixture {
  TemporaryFolder folder;
  Dataset data = make_pictures(folder, 4);
  std::string whole = folder / "model", hurt = folder / "hurt";
  EmotionModel model;
  std::map<std::string, std::string> name;  // of each part's file

  Fixture() {
    FitOptions o = small_fit(whole, 0);
    o.diff2 = o.diff1;
    model = fit(data, o).model;
    fs::remove_all(whole + "/cache");
    for (const auto& [part, path] : model_files(whole)) name[part] = fs::path(path).filename();
    name["model.json"] = "model.json";
  }

  // Copies the model, damages the copy; gives the message of loading and using it.
  std::string message(const std::function<void()>& damage) const {
    fs::remove_all(hurt);
    fs::copy(whole, hurt, fs::copy_options::recursive);
    damage();
    const std::string text = error_of([&] { predict_all(load_model(hurt), data); });
    CHECK(text.find('\n') == std::string::npos);
    return text;
  }

  // The message after another classifier was put in, hash and all.
  std::string with_classifier(
      const std::function<void(std::map<std::string, Tensor>&)>& edit) const {
    return message([&] {
      const std::string path = hurt + "/" + name.at("classifier");
      auto tensors = read_safetensors(whole + "/" + name.at("classifier")).tensors;
      edit(tensors);
      write_safetensors(path, tensors);
      json j = read_json(hurt + "/model.json");
      j["classifier"]["sha256"] = sha256_of_file(path);
      write_signed(hurt + "/model.json", j);
    });
  }
};

}  // namespace

TEST_CASE("model folder: damage of any kind is an Error") {
  const Fixture f;
  const std::string& hurt = f.hurt;
  CHECK(f.message([] {}) == "");
  CHECK(error_of([&] { load_model(f.folder / "nowhere"); }).find("limbic fit") !=
        std::string::npos);
  for (const auto& [part, file] : f.name) {
    const std::string& label = file;  // clang 14 cannot capture a structured binding
    CAPTURE(label);
    const std::string path = hurt + "/" + file;
    const auto bytes = read_file(f.whole + "/" + file);
    CHECK(f.message([&] { fs::remove(path); }) != "");
    CHECK(f.message([&] {
      fs::remove(path);
      fs::create_directory(path);
    }) != "");
    for (int64_t piece = 0; piece < 16; ++piece) {
      const auto cut = static_cast<std::ptrdiff_t>(bytes.size()) * piece / 16;
      CAPTURE(cut);
      CHECK(f.message([&] {
               write_bytes(path, {bytes.begin(), bytes.begin() + cut});
             }).find(file) != std::string::npos);
    }
    // A value that is another, wherever it stands.
    Random random(7, bytes.size());
    for (int i = 0; i < 60; ++i) {
      auto flipped = bytes;
      const auto at = static_cast<size_t>(random.below(std::ssize(bytes)));
      CAPTURE(at);
      flipped[at] = static_cast<uint8_t>(flipped[at] ^ (1 << random.below(8)));
      CHECK(f.message([&] { write_bytes(path, flipped); }).find(file) != std::string::npos);
    }
  }
  const auto exchange = [&](const std::string& a, const std::string& b) {
    return f.message([&] {
      fs::rename(hurt + "/" + f.name.at(a), hurt + "/x");
      fs::rename(hurt + "/" + f.name.at(b), hurt + "/" + f.name.at(a));
      fs::rename(hurt + "/x", hurt + "/" + f.name.at(b));
    });
  };
  CHECK(exchange("diff1", "classifier") != "");
  CHECK(exchange("diff1", "diff2") != "");  // of one architecture: only the hash can tell
}

TEST_CASE("model folder: a model.json that says what cannot be is an Error") {
  const Fixture f;
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
      {"a CNN's file outside", [](json& j) { j["branches"][0]["file"] = "../x.safetensors"; }},
      {"a CNN's file absent", [](json& j) { j["branches"][0]["file"] = "x.safetensors"; }},
      {"no classifier", [](json& j) { j.erase("classifier"); }},
      {"the classifier's hash a number", [](json& j) { j["classifier"]["sha256"] = 3; }},
  };
  for (const auto& [name, edit] : edits) {
    const auto& label = name;
    CAPTURE(label);
    const auto edited = [&, &apply = edit](bool sign) {
      return f.message([&] {
        json j = read_json(f.hurt + "/model.json");
        apply(j);
        if (sign)
          write_signed(f.hurt + "/model.json", j);
        else
          write_text(f.hurt + "/model.json", j.dump());
      });
    };
    CHECK(edited(true) != "");
    CHECK(edited(false) != "");
  }
  CHECK(f.message([&] { write_signed(f.hurt + "/model.json", json::array()); }) != "");
  // Sound, but not what was saved.
  const auto unsigned_edit = f.message([&] {
    json j = read_json(f.hurt + "/model.json");
    j["alpha"] = 0.75;
    write_text(f.hurt + "/model.json", j.dump(2));
  });
  CHECK(unsigned_edit.find("its hash differs") != std::string::npos);
  CHECK(f.message([&] {
    write_signed(f.hurt + "/model.json", read_json(f.hurt + "/model.json"));
  }) == "");
}

TEST_CASE("model folder: a classifier whose parts do not fit or are not finite is an Error") {
  const Fixture f;
  CHECK(f.with_classifier([](auto&) {}) == "");
  for (const auto& [name, tensor] :
       read_safetensors(f.whole + "/" + f.name.at("classifier")).tensors) {
    const std::string& key = name;
    CAPTURE(key);
    CHECK(f.with_classifier([&](auto& t) { t.erase(key); }) != "");
    CHECK(f.with_classifier([&](auto& t) { t[key] = Tensor({1}, DType::u8); }) != "");
    CHECK(f.with_classifier([&](auto& t) { t[key] = Tensor({0}, t[key].dtype()); }) != "");
    for (double bad : {double{NAN}, double{INFINITY}}) {
      if (tensor.dtype() != DType::f32 && tensor.dtype() != DType::f64) continue;
      const std::string text = f.with_classifier([&](auto& t) {
        t[key] = t[key].clone();
        const int64_t last = t[key].size() - 1;
        if (t[key].dtype() == DType::f32)
          t[key].data()[last] = static_cast<float>(bad);
        else
          t[key].template data<double>()[last] = bad;
      });
      CHECK(text.find("'" + key + "'") != std::string::npos);
    }
  }
  // Each sound in itself (tests/svm/model_tensors_test.cpp has the rest), but not of this model.
  const auto says = [&](const auto& edit, const std::string& sentence) {
    const std::string text = f.with_classifier(edit);
    CAPTURE(text);
    CHECK(text.find(sentence) != std::string::npos);
    CHECK(text.ends_with("; fit the model again"));
  };
  says(
      [](auto& t) {
        t["svm.classes"] = Tensor::of(std::vector<int32_t>{0, 1, 3}, {3});
      },
      "the SVM knows a class 3, expected less than 3");
  says(
      [](auto& t) {
        t["svm.classes"] = Tensor::of(std::vector<int32_t>{0, -1, 2}, {3});
      },
      "the SVM knows a class -1, expected less than 3");
  const int64_t d = f.model.classifier.scaler.features();
  says(
      [](auto& t) {
        t["svm.support_vectors"] = Tensor({t["svm.support_vectors"].dim(0), 3});
      },
      str_cat("the SVM has 3 features, the scaler ", d));
  says(
      [&](auto& t) {
        t["dense.weight"] = Tensor({2, d});
      },
      str_cat("'dense.weight' expected F32(3,", d, "), got F32(2,", d, ")"));
  const std::string swapped = f.message([&] {
    json j = read_json(f.hurt + "/model.json");
    std::swap(j["blocks"][0]["name"], j["blocks"][1]["name"]);
    write_signed(f.hurt + "/model.json", j);
  });
  CHECK(swapped.find("its blocks of features are not the model's CNNs") != std::string::npos);
}

TEST_CASE("model folder: a mixture of two fits is refused") {
  const Fixture f;
  EmotionModel other = f.model;
  other.classifier.fusion = Fusion::with_alpha(0.9);
  other.classifier.svm.rho[0] += 1;
  const std::string second = f.folder / "second";
  save_model(other, second);
  const auto names = model_files(second);
  CHECK(fs::path(names.at("diff1")).filename() == f.name.at("diff1"));
  CHECK(f.message([&] {
           fs::copy_file(second + "/model.json", f.hurt + "/model.json",
                         fs::copy_options::overwrite_existing);
         }).find("classifier") != std::string::npos);
  CHECK(f.message([&] {
           fs::copy_file(names.at("classifier"), f.hurt + "/" + f.name.at("classifier"),
                         fs::copy_options::overwrite_existing);
         }).find("its hash differs") != std::string::npos);
}

TEST_CASE("model folder: a save that fails at any step leaves the old model as it was") {
  const Fixture f;
  EmotionModel other = f.model;
  other.classifier.fusion = Fusion::with_alpha(0.9);
  other.classifier.svm.rho[0] += 1;
  other.branches[1].network.parameters = build_model("resnet8", 3).graph.initialise(99);
  const auto before = contents(f.whole);
  const Prediction expected = predict_all(f.model, f.data);
  const auto check_old = [&] {
    CHECK(contents(f.whole) == before);
    const EmotionModel loaded = load_model(f.whole);
    CHECK(loaded.classifier.fusion.alpha == 0.5);
    CHECK(equal_bits(predict_all(loaded, f.data).probabilities, expected.probabilities));
  };
  // How often it renames and flushes.
  calls = 0;
  save_model(other, f.folder / "elsewhere");
  const int64_t steps = calls;
  CHECK(steps >= 8);  // four files, each flushed and renamed
  for (int64_t step = 0; step < steps; ++step) {
    CAPTURE(step);
    calls_until_failure = static_cast<int>(step);
    const std::string text = error_of([&] { save_model(other, f.whole); });
    CHECK(text.find("No space left") != std::string::npos);
    check_old();
  }
  // A disk that fills up within each file.
  std::set<rlim_t> limits{0, 100};
  for (const auto& [name, bytes] : contents(f.folder / "elsewhere"))
    limits.insert({bytes.size() - 1, bytes.size() / 2});
  int failures = 0;
  for (rlim_t limit : limits) {
    CAPTURE(limit);
    std::string text;
    {
      const FullDisk disk(limit);
      text = error_of([&] { save_model(other, f.whole); });
    }
    failures += text != "";
    check_old();
  }
  CHECK(failures == std::ssize(limits));
  // What a killed save leaves is no model, and the next save clears it away.
  for (const char* litter : {"diff1.new.safetensors", "classifier-0123456789abcdef.safetensors",
                             "classifier.new.safetensors.tmp.17", "model.json.tmp.17"})
    write_text(f.whole + "/" + litter, "half");
  write_text(f.whole + "/notes.txt", "the user's own");
  CHECK(load_model(f.whole).classifier.fusion.alpha == 0.5);
  save_model(other, f.whole);
  CHECK(load_model(f.whole).classifier.fusion.alpha == 0.9);
  std::set<std::string> expected_names{"model.json", "notes.txt"}, names;
  for (const auto& [part, path] : model_files(f.whole))
    expected_names.insert(fs::path(path).filename());
  for (const auto& [name, bytes] : contents(f.whole)) names.insert(name);
  CHECK(names == expected_names);
}

TEST_CASE("model folder: the first format still loads, and a save over it leaves none of it") {
  const Fixture f;
  const std::string first = f.folder / "first";
  fs::create_directory(first);
  json j = read_json(f.whole + "/model.json");
  for (json& b : j["branches"]) {
    const std::string role = b.at("role");
    fs::copy_file(f.whole + "/" + f.name.at(role), first + "/" + role + ".safetensors");
    b.erase("file");
  }
  fs::copy_file(f.whole + "/" + f.name.at("classifier"), first + "/classifier.safetensors");
  j.erase("classifier");
  j.erase("sha256");
  j["limbic_model"] = 1;
  write_text(first + "/model.json", j.dump(2));
  const EmotionModel loaded = load_model(first);
  CHECK(equal_bits(predict_all(loaded, f.data).probabilities,
                   predict_all(f.model, f.data).probabilities));
  CHECK(fs::path(model_files(first).at("diff2")).filename() == "diff2.safetensors");
  save_model(loaded, first);
  CHECK(contents(first).size() == 4);
  CHECK(equal_bits(predict_all(load_model(first), f.data).probabilities,
                   predict_all(f.model, f.data).probabilities));
}

TEST_CASE("model folder: thumbnails are kept where they are asked for, and change no answer") {
  const Fixture f;
  CHECK(f.model.thumbnails.empty());
  CHECK(!model_files(f.whole).contains("thumbnails"));
  FitOptions o = small_fit(f.folder / "kept", 0);
  o.diff2 = o.diff1;
  o.keep_thumbnails = true;
  const EmotionModel fitted = fit(f.data, o).model;
  const svm::SvcModel& svm = fitted.classifier.svm;
  const EmotionModel loaded = load_model(o.out);
  REQUIRE(std::ssize(loaded.thumbnails) == svm.support_vectors.dim(0));
  CHECK(equal_bits(predict_all(loaded, f.data).probabilities,
                   predict_all(f.model, f.data).probabilities));
  CHECK(read_json(o.out + "/model.json").at("limbic_model") == 2);  // old readers go on
  for (size_t i = 0; i < svm.support_indices.size(); ++i) {
    const auto row = static_cast<size_t>(svm.support_indices[i]);
    CHECK(loaded.thumbnail(static_cast<int64_t>(i)) == decode_file(f.data.samples[row].path));
  }
  // An archive has them; a save of a model without them leaves none.
  const std::string zip = f.folder / "kept.zip";
  write_atomically(zip, [&](std::ostream& out) { archive_model(o.out, out); });
  CHECK(load_model(zip).thumbnails.size() == loaded.thumbnails.size());
  const std::string file = model_files(o.out).at("thumbnails");
  CHECK(fs::exists(file));
  save_model(f.model, o.out);
  CHECK(!fs::exists(file));
}

TEST_CASE("model folder: thumbnails that are large become small; hostile and missing are Errors") {
  const Fixture f;
  TemporaryFolder photos;
  for (int i = 0; i < 4; ++i)
    write_png(photos / (std::string(i % 2 ? "set/a/" : "set/b/") + std::to_string(i) + ".png"),
              random_picture(100 + 50 * i, 200, static_cast<uint64_t>(i)));
  FitOptions o = small_fit(photos / "kept", 0);
  o.diff2 = {};
  o.keep_thumbnails = true;
  const EmotionModel model = fit(list_folders(photos / "set"), o).model;
  REQUIRE(!model.thumbnails.empty());
  for (int64_t i = 0; i < std::ssize(model.thumbnails); ++i) {
    const Picture small = model.thumbnail(i);
    CHECK(std::max(small.height, small.width) == 96);
  }
  const std::string file = model_files(o.out).at("thumbnails");
  const auto with = [&](const std::function<void(std::map<std::string, Tensor>&)>& edit) {
    EmotionModel other = model;
    save_model(other, o.out);
    auto tensors = read_safetensors(file).tensors;
    edit(tensors);
    write_safetensors(file + ".new", tensors);
    fs::rename(file + ".new", file);
    json j = read_json(o.out + "/model.json");
    j["thumbnails"]["sha256"] = sha256_of_file(file);
    write_signed(o.out + "/model.json", j);
    return error_of([&] { load_model(o.out).thumbnail(0); });
  };
  CHECK(with([](auto&) {}) == "");
  CHECK(with([](auto& t) { t.erase("0"); }).find("thumbnails of ") != std::string::npos);
  CHECK(with([](auto& t) {
          auto node = t.extract("0");
          node.key() = "x";
          t.insert(std::move(node));
        }).find("no thumbnail of support vector 0") != std::string::npos);
  CHECK(with([](auto& t) { t["0"] = Tensor({4}, DType::f32); }).find("no thumbnail") !=
        std::string::npos);
  CHECK(with([](auto& t) {
          t["0"] = Tensor({4}, DType::u8);
        }).starts_with("thumbnail of support vector 0: "));
  CHECK(with([](auto& t) {
          const auto png = encode_png(random_picture(97, 97, 1));
          t["0"] = Tensor({std::ssize(png)}, DType::u8);
          std::copy(png.begin(), png.end(), static_cast<uint8_t*>(t["0"].raw()));
        }).starts_with("thumbnail of support vector 0: "));
  fs::remove(file);
  CHECK(error_of([&] { load_model(o.out); }).starts_with(file));
  write_text(file, "other");
  CHECK(error_of([&] { load_model(o.out); }).find("its hash differs") != std::string::npos);
}
