#include "limbic/limbic_c.h"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <regex>
#include <set>
#include <thread>

#include "limbic/core/file.h"
#include "limbic/emotion/model.h"
#include "limbic/svm/svc.h"
#include "tests/emotion/pipeline.h"
#include "tests/text.h"

using namespace limbic;
using namespace limbic::testing;

namespace {

std::set<std::string> words_like(const std::string& text, const std::string& pattern) {
  std::set<std::string> out;
  const std::regex expression(pattern);
  for (std::sregex_iterator it(text.begin(), text.end(), expression), end; it != end; ++it)
    out.insert((*it)[1]);
  return out;
}

std::string output_of(const std::string& command) {
  std::string out;
  FILE* pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::array<char, 4096> part;
  for (size_t n; (n = std::fread(part.data(), 1, part.size(), pipe)) > 0;)
    out.append(part.data(), n);
  CHECK(::pclose(pipe) == 0);
  return out;
}

FittedPipeline& world() {
  static FittedPipeline w;
  return w;
}

struct Model {
  limbic_model* handle = nullptr;
  explicit Model(const std::string& path) {
    REQUIRE_MESSAGE(limbic_open(path.c_str(), nullptr, &handle) == LIMBIC_OK, limbic_last_error());
  }
  ~Model() { limbic_model_free(handle); }
};

std::string json_of(limbic_model* model, const limbic_picture& picture,
                    const char* image = "x.png") {
  limbic_answers* answers = nullptr;
  REQUIRE_MESSAGE(limbic_predict(model, &picture, 1, &answers) == LIMBIC_OK, limbic_last_error());
  const std::string out = limbic_answer_json(answers, 0, image, 5);
  CHECK(limbic_answers_free(answers) == LIMBIC_OK);
  return out;
}

bool says(const std::string& part) {
  INFO(limbic_last_error());
  return std::string(limbic_last_error()).find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("capi: the library shows what the header declares and nothing else") {
  const std::string header = source_text("capi/limbic_c.h");
  const auto declared = words_like(header, R"(LIMBIC_API[^;{]*?\b(limbic_[a-z_]+)\()");
  const auto listed = words_like(source_text("capi/limbic_c.map"), R"(\b(limbic_[a-z_]+);)");
  const auto shown =
      words_like(output_of("nm -D --defined-only --with-symbol-versions " LIMBIC_C_LIBRARY),
                 R"( [TDBR] ([A-Za-z_0-9@]+))");
  std::set<std::string> versioned;
  for (const std::string& name : listed) versioned.insert(name + "@@LIMBIC_0");
  CHECK(declared == listed);
  CHECK(shown == versioned);
}

TEST_CASE("capi: a picture in any form has one answer, the line of `limbic predict`") {
  const Model model(world().model);
  limbic_model_info info{.size = sizeof info};
  REQUIRE(limbic_get_model_info(model.handle, &info) == LIMBIC_OK);
  CHECK(info.kind == LIMBIC_EMOTION);
  CHECK(info.classes == 3);
  CHECK(std::string(limbic_label(model.handle, 1)) == "fear");
  CHECK(limbic_label(model.handle, 3) == nullptr);

  const std::string& photo = world().photos[7];
  const std::string expected =
      output_of(LIMBIC_PROGRAM " predict --format json --quiet " + world().model + " " + photo);
  CHECK(json_of(model.handle, limbic_picture_file(photo.c_str()), photo.c_str()) + "\n" ==
        expected);

  const std::string line = json_of(model.handle, limbic_picture_file(photo.c_str()));
  const auto bytes = read_file(photo);
  CHECK(json_of(model.handle, limbic_picture_bytes(bytes.data(), bytes.size())) == line);
  const io::Picture picture = io::decode_file(photo);
  const auto h = static_cast<size_t>(picture.height), w = static_cast<size_t>(picture.width);
  std::vector<uint8_t> wide(h * (3 * w + 5), 200);
  for (size_t y = 0; y < h; ++y)
    std::copy_n(picture.row(static_cast<int64_t>(y)), 3 * w, wide.data() + y * (3 * w + 5));
  CHECK(json_of(model.handle, limbic_picture_rgb(wide.data(), h, w, 3 * w + 5)) == line);

  limbic_prepared* prepared = nullptr;
  const limbic_picture file = limbic_picture_file(photo.c_str());
  REQUIRE(limbic_prepare(model.handle, &file, &prepared) == LIMBIC_OK);
  CHECK(json_of(model.handle, limbic_picture_prepared(prepared)) == line);
  CHECK(limbic_prepared_free(prepared) == LIMBIC_OK);
  CHECK(json_of(model.handle, file, nullptr).starts_with("{\"emotion\":"));
}

TEST_CASE("pack: the program, the C program and the packed program say the same of a photo") {
  const TemporaryFolder folder;
  const std::string &model = world().model, &photo = world().photos[5];
  const std::string packed = folder / "emotions", quiet = " 2>/dev/null";
  const std::string expected =
      output_of(LIMBIC_PROGRAM " predict --format json --quiet " + model + " " + photo);
  CHECK(output_of(LIMBIC_C_PREDICT " " + model + " " + photo) == expected);
  output_of(LIMBIC_PROGRAM " pack " + model + " " + packed + quiet);
  CHECK(output_of(packed + " --format json --quiet " + photo) == expected);
  CHECK(output_of(packed + quiet).find("photo.jpg") != std::string::npos);  // help

  // A packed program packs no more, and one that was cut says so.
  const auto fails = [&](const std::string& command) {
    const std::string said = output_of("{ " + command + "; echo status $?; } 2>&1");
    return said.substr(0, said.find('\n')) + said.substr(said.rfind("status"));
  };
  const auto bytes = read_file(packed);
  const std::string cut = folder / "cut";
  write_atomically(cut, [&](std::ostream& out) {
    out.write(reinterpret_cast<const char*>(bytes.data()), std::ssize(bytes) - 1000);
  });
  std::filesystem::permissions(cut, std::filesystem::perms::owner_all);
  const std::string said = fails(cut + " " + photo);
  CHECK(said.find("is cut short") != std::string::npos);
  CHECK(said.ends_with("status 1\n"));
  CHECK(fails(LIMBIC_PROGRAM " pack /nowhere " + packed).ends_with("status 1\n"));
  CHECK(read_file(packed) == bytes);
}

TEST_CASE("capi: a zip archive of a model folder, in a file and in memory, is the model") {
  const TemporaryFolder folder;
  write_atomically(folder / "m.zip",
                   [&](std::ostream& out) { emotion::archive_model(world().model, out); });
  const limbic_picture photo = limbic_picture_file(world().photos[3].c_str());
  const std::string expected = json_of(Model(world().model).handle, photo);
  CHECK(json_of(Model(folder / "m.zip").handle, photo) == expected);

  auto bytes = read_file(folder / "m.zip");
  limbic_model* model = nullptr;
  REQUIRE(limbic_open_bytes(bytes.data(), bytes.size(), nullptr, &model) == LIMBIC_OK);
  CHECK(json_of(model, photo) == expected);
  limbic_model_free(model);
  // Cut anywhere, it is refused in one line.
  for (size_t cut = 1; cut < bytes.size(); cut += bytes.size() / 40) {
    CHECK(limbic_open_bytes(bytes.data(), cut, nullptr, &model) == LIMBIC_FAILED);
    CHECK(std::string(limbic_last_error()).find('\n') == std::string::npos);
  }
}

TEST_CASE("capi: many pictures, more than a batch, and one that is none among them") {
  const Model model(world().model);
  const TemporaryFolder folder;
  std::ofstream(folder / "none.jpg") << "no picture";
  const std::string none = folder / "none.jpg";
  std::vector<limbic_picture> pictures;
  for (const std::string& photo : world().photos)
    pictures.push_back(limbic_picture_file(photo.c_str()));
  pictures[4] = limbic_picture_file(none.c_str());
  limbic_answers* answers = nullptr;
  REQUIRE(limbic_predict(model.handle, pictures.data(), pictures.size(), &answers) == LIMBIC_OK);
  REQUIRE(limbic_answers_count(answers) == pictures.size());
  for (size_t i = 0; i < pictures.size(); ++i) {
    std::array<double, 3> p{};
    if (i == 4) {
      REQUIRE(limbic_answer_error(answers, i) != nullptr);
      CHECK(limbic_answer_class(answers, i) == SIZE_MAX);
      CHECK(limbic_answer_probabilities(answers, i, p.data(), 3) == LIMBIC_FAILED);
      CHECK(std::string(limbic_answer_json(answers, i, "none.jpg", 5))
                .starts_with("{\"image\":\"none.jpg\",\"error\":"));
      continue;
    }
    REQUIRE(limbic_answer_probabilities(answers, i, p.data(), 3) == LIMBIC_OK);
    CHECK(p[0] + p[1] + p[2] == doctest::Approx(1));
    CHECK(limbic_answer_class(answers, i) ==
          static_cast<size_t>(std::max_element(p.begin(), p.end()) - p.begin()));
  }
  CHECK(limbic_answer_class(answers, pictures.size()) == SIZE_MAX);
  limbic_answers_free(answers);
}

TEST_CASE("capi: features are the blocks that the pipeline fuses") {
  const Model model(world().model);
  limbic_model_info info{.size = sizeof info};
  REQUIRE(limbic_get_model_info(model.handle, &info) == LIMBIC_OK);
  const limbic_picture photo = limbic_picture_file(world().photos[0].c_str());
  std::vector<float> features(info.features);
  REQUIRE(limbic_features(model.handle, &photo, 1, features.data(), features.size()) == LIMBIC_OK);
  const emotion::EmotionModel direct = emotion::load_model(world().model);
  const emotion::BranchFeatures f = emotion::extract_features(
      direct.branches, {.classes = direct.classes, .samples = {{world().photos[0], 0}}}, {});
  const Tensor joined = emotion::join_blocks(f.blocks);
  REQUIRE(std::ssize(features) == joined.size());
  for (size_t i = 0; i < features.size(); ++i)
    CHECK(features[i] == doctest::Approx(joined.values()[i]).epsilon(1e-5));
  CHECK(limbic_features(model.handle, &photo, 1, features.data(), features.size() - 1) ==
        LIMBIC_TOO_SMALL);
}

TEST_CASE("capi: null, freed and foreign handles are refused") {
  limbic_model* model = nullptr;
  REQUIRE(limbic_open(world().model.c_str(), nullptr, &model) == LIMBIC_OK);
  const limbic_picture photo = limbic_picture_file(world().photos[0].c_str());
  limbic_answers* answers = nullptr;
  REQUIRE(limbic_predict(model, &photo, 1, &answers) == LIMBIC_OK);

  CHECK(limbic_predict(nullptr, &photo, 1, &answers) == LIMBIC_BAD_HANDLE);
  CHECK(says("null"));
  auto* foreign = reinterpret_cast<limbic_model*>(answers);
  CHECK(limbic_predict(foreign, &photo, 1, &answers) == LIMBIC_BAD_HANDLE);
  CHECK(limbic_model_free(foreign) == LIMBIC_BAD_HANDLE);
  int local = 0;
  CHECK(limbic_model_free(reinterpret_cast<limbic_model*>(&local)) == LIMBIC_BAD_HANDLE);

  REQUIRE(limbic_model_free(model) == LIMBIC_OK);
  CHECK(limbic_model_free(model) == LIMBIC_BAD_HANDLE);
  CHECK(limbic_label(model, 0) == nullptr);
  CHECK(limbic_predict(model, &photo, 1, &answers) == LIMBIC_BAD_HANDLE);
  CHECK(limbic_answer_class(answers, 0) < 3);  // they stand for themselves
  CHECK(limbic_answers_free(answers) == LIMBIC_OK);
  CHECK(limbic_answer_json(answers, 0, nullptr, 1) == nullptr);
}

TEST_CASE("capi: arguments that lie are refused, in a line") {
  limbic_model* model = nullptr;
  limbic_open_options options{.size = 3};
  CHECK(limbic_open("x", &options, &model) == LIMBIC_INVALID);
  options = {.size = sizeof options + 8};
  CHECK(limbic_open("x", &options, &model) == LIMBIC_INVALID);
  options = {.size = sizeof options, .image_size = -1};
  CHECK(limbic_open("x", &options, &model) == LIMBIC_INVALID);
  CHECK(limbic_open(nullptr, nullptr, &model) == LIMBIC_INVALID);
  CHECK(limbic_open("x", nullptr, nullptr) == LIMBIC_INVALID);
  CHECK(limbic_open("/nowhere", nullptr, &model) == LIMBIC_FAILED);
  CHECK(says("/nowhere"));
  CHECK(limbic_open_bytes("abc", 3, nullptr, &model) == LIMBIC_FAILED);
  CHECK(limbic_open_bytes("abc", 0, nullptr, &model) == LIMBIC_INVALID);
  CHECK(limbic_set_threads(-1) == LIMBIC_INVALID);

  const Model good(world().model);
  limbic_answers* answers = nullptr;
  const std::array<uint8_t, 12> rgb{};
  for (const limbic_picture& picture :
       {limbic_picture{}, limbic_picture_rgb(rgb.data(), 0, 2, 6),
        limbic_picture_rgb(rgb.data(), 2, 2, 5), limbic_picture_rgb(rgb.data(), SIZE_MAX, 2, 6),
        limbic_picture_rgb(rgb.data(), 2, SIZE_MAX / 2, SIZE_MAX),
        limbic_picture_bytes(rgb.data(), 0)}) {
    CHECK(limbic_predict(good.handle, &picture, 1, &answers) == LIMBIC_INVALID);
    CHECK(says("picture"));
  }
  const limbic_picture picture = limbic_picture_rgb(rgb.data(), 2, 2, 6);
  CHECK(limbic_predict(good.handle, &picture, 0, &answers) == LIMBIC_INVALID);
  CHECK(limbic_predict(good.handle, nullptr, 1, &answers) == LIMBIC_INVALID);
  CHECK(limbic_predict(good.handle, &picture, 1, nullptr) == LIMBIC_INVALID);
  REQUIRE(limbic_predict(good.handle, &picture, 1, &answers) == LIMBIC_OK);
  std::array<double, 3> p{};
  CHECK(limbic_answer_probabilities(answers, 0, p.data(), 2) == LIMBIC_TOO_SMALL);
  CHECK(p[0] == 0);
  CHECK(limbic_answer_probabilities(answers, 0, nullptr, 3) == LIMBIC_INVALID);
  CHECK(limbic_answer_probabilities(answers, 9, p.data(), 3) == LIMBIC_INVALID);
  limbic_answers_free(answers);

  const Model other(world().model);
  limbic_prepared* prepared = nullptr;
  REQUIRE(limbic_prepare(other.handle, &picture, &prepared) == LIMBIC_OK);
  const limbic_picture foreign = limbic_picture_prepared(prepared);
  CHECK(limbic_predict(good.handle, &foreign, 1, &answers) == LIMBIC_INVALID);
  CHECK(says("another model"));
  limbic_prepared_free(prepared);
}

TEST_CASE("capi: many callers over one model, one of whom frees it, all are answered") {
  limbic_model* model = nullptr;
  REQUIRE(limbic_open(world().model.c_str(), nullptr, &model) == LIMBIC_OK);
  const auto& photos = world().photos;
  std::vector<std::string> expected;
  for (const std::string& photo : photos)
    expected.push_back(json_of(model, limbic_picture_file(photo.c_str())));
  std::atomic<int> wrong = 0, refused = 0;
  std::vector<std::thread> callers;
  for (size_t t = 0; t < 6; ++t)
    callers.emplace_back([&, t] {
      for (size_t k = 0; k < 30; ++k) {
        const size_t i = (7 * t + k) % photos.size();
        const limbic_picture photo = limbic_picture_file(photos[i].c_str());
        limbic_answers* answers = nullptr;
        if (t == 0 && k == 25) limbic_model_free(model);
        if (limbic_predict(model, &photo, 1, &answers) != LIMBIC_OK) {
          ++refused;
          continue;
        }
        wrong += limbic_answer_json(answers, 0, "x.png", 5) != expected[i];
        limbic_answers_free(answers);
      }
    });
  for (std::thread& caller : callers) caller.join();
  CHECK(wrong == 0);
  CHECK(refused >= 5);
}

TEST_CASE("capi: an SVM is the library's own") {
  const int64_t n = 60, d = 4;
  const Tensor x = noise({n, d}, 1);
  std::vector<int> labels;
  for (int64_t i = 0; i < n; ++i)
    labels.push_back((x.data()[i * d] > 0 ? 1 : 0) + (x.data()[i * d + 1] > 0.5f ? 5 : 0));
  limbic_svm_options options = limbic_svm_defaults();
  options.C = 2;
  options.probability = 1;
  limbic_svm* machine = nullptr;
  REQUIRE(limbic_svm_fit(x.data(), n, d, labels.data(), &options, &machine) == LIMBIC_OK);
  const svm::SvcModel direct = svm::train_svc(x, labels, {.C = 2, .pairwise_probability = true});

  limbic_svm_info info{.size = sizeof info};
  REQUIRE(limbic_svm_get_info(machine, &info) == LIMBIC_OK);
  CHECK(info.classes == direct.classes.size());
  CHECK(info.gamma == direct.gamma);
  CHECK(info.support_vectors == static_cast<size_t>(direct.support_vectors.dim(0)));
  const size_t pairs = info.classes * (info.classes - 1) / 2;
  std::vector<double> decisions(n * pairs), p(n * info.classes);
  std::vector<int> predicted(n), classes(info.classes);
  REQUIRE(limbic_svm_decisions(machine, x.data(), n, d, decisions.data(), decisions.size()) ==
          LIMBIC_OK);
  REQUIRE(limbic_svm_probabilities(machine, x.data(), n, d, p.data(), p.size()) == LIMBIC_OK);
  REQUIRE(limbic_svm_predict(machine, x.data(), n, d, predicted.data()) == LIMBIC_OK);
  REQUIRE(limbic_svm_classes(machine, classes.data(), classes.size()) == LIMBIC_OK);
  CHECK(classes == direct.classes);
  CHECK(predicted == svm::predict(direct, x));
  const Tensor d0 = svm::decision_values(direct, x), p0 = svm::pairwise_probabilities(direct, x);
  CHECK(std::equal(decisions.begin(), decisions.end(), d0.data<double>()));
  CHECK(std::equal(p.begin(), p.end(), p0.data<double>()));
  std::vector<double> intercepts(pairs);
  REQUIRE(limbic_svm_parts(machine, nullptr, nullptr, nullptr, intercepts.data(), nullptr) ==
          LIMBIC_OK);
  CHECK(intercepts[0] == -direct.rho[0]);

  const TemporaryFolder folder;
  limbic_svm* again = nullptr;
  REQUIRE(limbic_svm_save(machine, (folder / "m").c_str()) == LIMBIC_OK);
  REQUIRE(limbic_svm_load((folder / "m").c_str(), &again) == LIMBIC_OK);
  std::vector<int> read(n);
  REQUIRE(limbic_svm_predict(again, x.data(), n, d, read.data()) == LIMBIC_OK);
  CHECK(read == predicted);

  CHECK(limbic_svm_predict(again, x.data(), n, d + 1, read.data()) == LIMBIC_FAILED);
  CHECK(limbic_svm_predict(again, nullptr, n, d, read.data()) == LIMBIC_INVALID);
  CHECK(limbic_svm_decisions(again, x.data(), n, d, decisions.data(), 3) == LIMBIC_TOO_SMALL);
  options.kernel = static_cast<limbic_kernel>(9);
  CHECK(limbic_svm_fit(x.data(), n, d, labels.data(), &options, &again) == LIMBIC_INVALID);
  options = limbic_svm_defaults();
  options.C = -1;
  CHECK(limbic_svm_fit(x.data(), n, d, labels.data(), &options, &again) == LIMBIC_FAILED);
  CHECK(limbic_svm_fit(x.data(), SIZE_MAX, 2, labels.data(), nullptr, &again) == LIMBIC_INVALID);
  limbic_svm_free(again);
  limbic_svm_free(machine);
}

TEST_CASE("capi: a graph of one's own trains, and its gradient is that of the loss") {
  limbic_graph* graph = nullptr;
  REQUIRE(limbic_graph_new(2, &graph) == LIMBIC_OK);
  const auto add = [&](const char* type, const char* name, const char* options,
                       std::vector<int> sources) {
    int node = -1;
    REQUIRE_MESSAGE(limbic_graph_add(graph, type, name, options, sources.data(), sources.size(),
                                     &node) == LIMBIC_OK,
                    limbic_last_error());
    return node;
  };
  const int a = add("conv2d", "a", "out=8 kernel=3 padding=1", {0});
  const int b = add("conv2d", "b", "out=8 kernel=1 bias=0", {0});
  const int sum = add("add", nullptr, nullptr, {a, b});
  const int features = add("gap", nullptr, nullptr, {add("relu", nullptr, nullptr, {sum})});
  REQUIRE(limbic_graph_label(graph, "logits", add("linear", "fc", "out=3", {features})) ==
          LIMBIC_OK);
  size_t channels = 0;
  CHECK(limbic_graph_channels(graph, sum, &channels) == LIMBIC_OK);
  CHECK(channels == 8);

  limbic_trainer_options options{};
  options.size = sizeof options;
  options.batch = 6;
  options.height = options.width = 5;
  limbic_trainer* trainer = nullptr;
  REQUIRE_MESSAGE(limbic_trainer_new(graph, &options, &trainer) == LIMBIC_OK, limbic_last_error());
  const Tensor x = noise({6, 2, 5, 5}, 3);
  const std::array<int64_t, 6> labels = {0, 1, 2, 0, 1, 2};
  const auto loss_now = [&] {  // the rate is 0: a step changes nothing
    double loss = 0;
    REQUIRE_MESSAGE(limbic_trainer_step(trainer, x.data(), 6, labels.data(), &loss) == LIMBIC_OK,
                    limbic_last_error());
    return loss;
  };
  loss_now();
  std::vector<float> w(24), g(24);
  REQUIRE(limbic_parameter_get(trainer, "fc.weight", w.data(), w.size()) == LIMBIC_OK);
  REQUIRE(limbic_parameter_gradient(trainer, "fc.weight", g.data(), g.size()) == LIMBIC_OK);
  for (size_t i = 0; i < w.size(); i += 5) {
    const float old = w[i], h = 1e-2f;
    double sides[2];
    for (int side : {0, 1}) {
      w[i] = old + (side ? h : -h);
      REQUIRE(limbic_parameter_set(trainer, "fc.weight", w.data(), w.size()) == LIMBIC_OK);
      sides[side] = loss_now();
    }
    w[i] = old;
    CHECK((sides[1] - sides[0]) / (2 * h) == doctest::Approx(g[i]).epsilon(0.02));
  }
  REQUIRE(limbic_parameter_set(trainer, "fc.weight", w.data(), w.size()) == LIMBIC_OK);

  REQUIRE(limbic_trainer_set_learning_rate(trainer, 0.2) == LIMBIC_OK);
  const double before = loss_now();
  for (int i = 0; i < 200; ++i) loss_now();
  CHECK(loss_now() < 0.3 * before);
  std::vector<float> logits(18);
  REQUIRE(limbic_trainer_run(trainer, x.data(), 6, "logits", logits.data(), 18) == LIMBIC_OK);
  for (size_t n = 0; n < 6; ++n)
    CHECK(std::max_element(logits.begin() + 3 * n, logits.begin() + 3 * n + 3) -
              (logits.begin() + 3 * n) ==
          labels[n]);
  size_t width = 0;
  CHECK(limbic_trainer_width(trainer, "logits", &width) == LIMBIC_OK);
  CHECK(width == 3);
  size_t rank = 0;
  std::array<int64_t, 8> extents{};
  CHECK(limbic_trainer_shape(trainer, "logits", extents.data(), &rank) == LIMBIC_OK);
  CHECK(rank == 1);
  CHECK(extents[0] == 3);
  CHECK(limbic_trainer_shape(trainer, "nobody", extents.data(), &rank) == LIMBIC_FAILED);

  const TemporaryFolder folder;
  const std::string path = folder / "w.safetensors";
  REQUIRE(limbic_trainer_save(trainer, path.c_str()) == LIMBIC_OK);
  limbic_trainer* other = nullptr;
  options.seed = 5;
  REQUIRE(limbic_trainer_new(graph, &options, &other) == LIMBIC_OK);
  std::vector<float> again(18);
  REQUIRE(limbic_trainer_run(other, x.data(), 6, "logits", again.data(), 18) == LIMBIC_OK);
  CHECK(again != logits);
  REQUIRE(limbic_trainer_load(other, path.c_str()) == LIMBIC_OK);
  REQUIRE(limbic_trainer_run(other, x.data(), 6, "logits", again.data(), 18) == LIMBIC_OK);
  CHECK(again == logits);

  int node = 0, far = 99, first = 0;
  CHECK(limbic_graph_add(graph, "conv3d", "c", "", &first, 1, &node) == LIMBIC_INVALID);
  CHECK(says("conv2d, linear"));
  CHECK(limbic_graph_add(graph, "relu", nullptr, "slope=1", &first, 1, &node) == LIMBIC_INVALID);
  CHECK(limbic_graph_add(graph, "relu", nullptr, "", &far, 1, &node) == LIMBIC_INVALID);
  CHECK(limbic_graph_add(graph, "conv2d", "c", "kernel=3", &first, 1, &node) == LIMBIC_INVALID);
  CHECK(limbic_graph_add(graph, "conv2d", "a", "out=3 kernel=3", &first, 1, &node) ==
        LIMBIC_FAILED);  // the name is taken
  CHECK(limbic_trainer_step(trainer, x.data(), 5, labels.data(), nullptr) == LIMBIC_INVALID);
  CHECK(limbic_parameter_get(trainer, "nobody", w.data(), 24) == LIMBIC_FAILED);
  CHECK(limbic_parameter_name(trainer, 99) == nullptr);
  limbic_trainer_free(trainer);
  limbic_trainer_free(other);
  limbic_graph_free(graph);
}
