// What Limbic itself writes and reads again: model folders, training checkpoints, feature caches,
// the stored case of a converted checkpoint.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "limbic/core/json_numbers.h"
#include "limbic/emotion/model.h"
#include "limbic/hash/hash.h"
#include "limbic/network/stored_case.h"
#include "limbic/train/checkpoint.h"
#include "limbic/weights/safetensors.h"
#include "tests/fuzz/target.h"

namespace limbic::fuzz {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const std::string kept = LIMBIC_SOURCE_DIR "/tests/goldens/promise/";
constexpr const char* classifier_file = "classifier-52997521e8efc2e6.safetensors";

Bytes kept_file(const std::string& name) { return read_file(kept + name); }

// A model folder of format 1, whose classifier and model.json have no hash.
const MemoryFolder& model_folder() {
  static const MemoryFolder folder;
  static const bool written = [] {
    folder.write("diff1.safetensors", kept_file("model2/diff1-b061592aedc2f386.safetensors"));
    json j = json::parse(text_of(kept_file("model2/model.json")));
    j["limbic_model"] = 1;
    folder.write("whole.json", bytes_of(j.dump()));
    return true;
  }();
  (void)written;
  return folder;
}

// A hash that fits, so that changes get behind it.
Bytes hashed(const Bytes& bytes) {
  json j = try_parse_json<json>(bytes);
  if (!j.is_object() || !j.contains("sha256")) return bytes;
  j.erase("sha256");
  try {
    const std::string text = j.dump();
    j["sha256"] = sha256({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
    return bytes_of(j.dump());
  } catch (const json::exception&) {  // not UTF-8
    return bytes;
  }
}

void use(const emotion::EmotionModel& model) {
  const auto& scaler = model.classifier.scaler;
  std::vector<Tensor> blocks;
  for (const auto& block : scaler.blocks) blocks.push_back(Tensor({1, block.width}));
  emotion::classify(model.classifier, model.roles(), blocks, std::ssize(model.classes));
}

void read_model_json(const Bytes& bytes) {
  const MemoryFolder& folder = model_folder();
  for (const std::string name : {"diff1-b061592aedc2f386.safetensors", classifier_file})
    if (!fs::exists(folder / name)) folder.write(name, kept_file("model2/" + name));
  folder.write("classifier.safetensors", kept_file(std::string("model2/") + classifier_file));
  folder.write("model.json", hashed(bytes));
  (void)emotion::model_files(folder.path());
  use(emotion::load_model(folder.path()));
}

void read_classifier(const Bytes& bytes) {
  const MemoryFolder& folder = model_folder();
  folder.write("model.json", read_file(folder / "whole.json"));
  folder.write("classifier.safetensors", bytes);
  use(emotion::load_model(folder.path()));
}

Parameters small_parameters() {
  Parameters out;
  out.add("fc.weight", Tensor({2, 3}), true);
  out.add("fc.bias", Tensor({2}), true);
  return out;
}

const std::string settings = R"({"epochs":9,"schedule":"constant","warmup":0.0,"seed":0})";

void read_training(const Bytes& bytes) {
  const MemoryFile file(bytes);
  Parameters parameters = small_parameters();
  const auto loaded = train::load_checkpoint(file.path(), parameters, settings);
  for (const auto& [name, tensor] : loaded.momentum) read_all({{name, tensor}});
}

void read_best(const Bytes& bytes) {
  const MemoryFile file(bytes);
  Parameters parameters = small_parameters();
  train::load_best(file.path(), {.settings = settings}, parameters);
}

train::TrainingState state() {
  train::TrainingState s{.epoch = 1, .step = 7, .position = 3, .micro_batch = 4};
  s.epochs.push_back({.epoch = 1, .train_loss = 0.5});
  s.settings = R"({"epochs":5,"schedule":"constant","warmup":0.0,"seed":0})";
  s.implementations = "2 threads";
  return s;
}

Bytes written(const std::function<void(const std::string&)>& write) {
  const MemoryFolder folder;
  write(folder / "x");
  return read_file(folder / "x");
}

emotion::Branch branch() {
  emotion::Branch b{.role = "diff1"};
  b.network.model = models::build_model("resnet8", 2);
  b.network.parameters = b.network.model.graph.initialise(0);
  b.network.preset = io::with_image_size(io::find_preset("cifar"), 8);
  b.hash = "hash";
  return b;
}

// A cache with the features of a picture: the folder of its files, and one of them.
struct Cache {
  MemoryFolder folder;
  std::vector<emotion::Branch> branches{branch()};
  std::string place;
  Bytes file;

  Cache() {
    fs::create_directories(folder / "cache");
    extract(kept + "photo.png");
    for (const auto& entry : fs::recursive_directory_iterator(folder / "cache"))
      if (entry.is_regular_file()) {
        place = fs::relative(entry.path(), folder.path()).string();
        file = read_file(entry.path().string());
      }
  }
  void extract(const std::string& picture) const {
    io::Dataset data{.classes = {"joy"}, .samples = {}};
    if (!picture.empty()) data.samples.push_back({picture, 0});
    emotion::extract_features(branches, data, {.batch_size = 1, .cache = folder / "cache"});
  }
};

const Cache& cache() {
  static const Cache out;
  return out;
}

void read_cache(const Bytes& bytes) {
  cache().folder.write(cache().place, bytes);
  cache().extract("");
}

void read_case(const Bytes& bytes) {
  static network::Network network = branch().network;
  const MemoryFile file(bytes);
  network.extras = weights::read_safetensors(file.path()).tensors;
  network::check_stored_case(network);
}

std::vector<Bytes> cases() {
  const network::Network network = branch().network;
  auto tensors = network::make_stored_case(network.model, network.parameters);
  Tensor& images = tensors.at("limbic.case.images");
  images = Tensor({2, 3, 8, 8});
  return {written([&](const std::string& path) { weights::write_safetensors(path, tensors); })};
}

}  // namespace

std::vector<Target> folder_targets() {
  return {{"model_json", read_model_json,
           [] {
             return std::vector<Bytes>{kept_file("model2/model.json"),
                                       kept_file("model3/model.json"),
                                       read_file(model_folder() / "whole.json")};
           }},
          {"classifier", read_classifier,
           [] { return std::vector<Bytes>{kept_file(std::string("model2/") + classifier_file)}; }},
          {"training", read_training,
           [] {
             return std::vector<Bytes>{written([](const std::string& path) {
               train::save_checkpoint(path, state(), small_parameters(),
                                      {{"fc.weight", Tensor({2, 3})}});
             })};
           }},
          {"best", read_best,
           [] {
             return std::vector<Bytes>{written([](const std::string& path) {
               train::save_best(path, state(), {1, 0.5, 0.25}, small_parameters(), {});
             })};
           }},
          {"features", read_cache, [] { return std::vector<Bytes>{cache().file}; }},
          {"feature_file",
           [](const Bytes& bytes) {
             const MemoryFile file(bytes);
             const emotion::FeatureFile features(file.path());
             (void)features.find("photos/awe/1.png");
           },
           [] {
             return std::vector<Bytes>{written([](const std::string& path) {
               weights::write_safetensors(path, {{"features", Tensor({2, 3})}},
                                          {{"paths", R"(["photos/awe/1.png","b.png"])"}});
             })};
           }},
          {"stored_case", read_case, cases}};
}

}  // namespace limbic::fuzz
