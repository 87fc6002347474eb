#include "emotion/model.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "nn/core/file.h"
#include "train/checkpoint.h"
#include "train/stored_case.h"
#include "weights/checkpoint.h"
#include "weights/load.h"
#include "weights/safetensors.h"

namespace limbic {

using nlohmann::json;

double fusion_gamma(const ClassifierOptions& options, const BlockScaler& scaler,
                    std::span<const double> weights) {
  if (options.gamma_rule == GammaRule::value) return options.gamma;
  if (options.gamma_rule == GammaRule::scale) return gamma_scale(scaler, weights);
  return 1.0 / static_cast<double>(scaler.features());
}

FusionClassifier train_classifier(const std::vector<std::string>& roles,
                                  const BranchFeatures& features, int64_t classes,
                                  const ClassifierOptions& o) {
  FusionClassifier c;
  c.fusion = o.fusion;
  const std::vector<double> weights = block_weights(o.fusion, roles);
  const Tensor joined = join_blocks(features.blocks);
  c.scaler = fit_scaler(joined, feature_blocks(roles, features.blocks),
                        {.mode = o.scale_blocks ? ScaleMode::standard : ScaleMode::none});
  const Tensor x = apply_scaler(c.scaler, joined, weights);
  SvcOptions svc;
  svc.C = o.C;
  svc.gamma_rule = GammaRule::value;
  svc.gamma = fusion_gamma(o, c.scaler, weights);
  svc.calibration_folds = 3;
  svc.seed = o.seed;
  const std::vector<int> labels(features.labels.begin(), features.labels.end());
  c.svm = train_svc(x, labels, svc);
  c.dense = train_softmax_classifier(x, features.labels, classes);
  return c;
}

Prediction classify(const FusionClassifier& c, const std::vector<std::string>& roles,
                    const std::vector<Tensor>& blocks, int64_t classes) {
  const Tensor x = apply_scaler(c.scaler, join_blocks(blocks), block_weights(c.fusion, roles));
  Prediction out;
  const Tensor decisions = decision_values(c.svm, x);
  const Tensor svm = probabilities_from_decisions(c.svm, decisions);
  const int64_t n = x.dim(0), known = svm.dim(1);
  // The SVM knows the classes that had pictures, in the order in which they came.
  out.probabilities = Tensor({n, classes}, DType::f64);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t k = 0; k < known; ++k)
      out.probabilities.data<double>()[i * classes + c.svm.classes[static_cast<size_t>(k)]] =
          svm.data<double>()[i * known + k];
  for (int label : vote(c.svm, decisions)) out.labels.push_back(label);
  const Tensor dense = c.dense.probabilities(x);
  for (int64_t i = 0; i < n; ++i) out.dense_labels.push_back(argmax(dense.rows(i, i + 1).values()));
  return out;
}

std::vector<std::string> EmotionModel::roles() const {
  std::vector<std::string> out;
  for (const Branch& b : branches) out.push_back(b.role);
  return out;
}

namespace {

constexpr int format_version = 1;

template <class T>
Tensor vector_tensor(const std::vector<T>& values) {
  return Tensor::of(values, {static_cast<int64_t>(values.size())});
}

template <class T>
std::vector<T> vector_of(const Tensor& tensor) {
  const auto values = tensor.values<T>();
  return {values.begin(), values.end()};
}

void save_classifier(const FusionClassifier& c, const std::string& path) {
  std::map<std::string, Tensor> t = {
      {"scaler.centre", vector_tensor(c.scaler.centre)},
      {"scaler.factor", vector_tensor(c.scaler.factor)},
      {"scaler.offset", vector_tensor(c.scaler.offset)},
      {"scaler.variance", vector_tensor(c.scaler.variance)},
      {"svm.support_vectors", c.svm.support_vectors},
      {"svm.dual_coef", c.svm.dual_coef},
      {"svm.rho", vector_tensor(c.svm.rho)},
      {"svm.n_sv", vector_tensor(c.svm.n_sv)},
      {"svm.classes",
       vector_tensor(std::vector<int32_t>(c.svm.classes.begin(), c.svm.classes.end()))},
      {"svm.gamma_temperature", vector_tensor(std::vector<double>{c.svm.gamma, c.svm.temperature})},
      {"dense.weight", c.dense.weight},
      {"dense.bias", c.dense.bias}};
  write_safetensors(path, t);
}

void check_classifier(const FusionClassifier& c, const EmotionModel& model,
                      const std::string& path) {
  const auto d = c.scaler.centre.size();
  const auto k = static_cast<int64_t>(c.svm.classes.size());
  const auto classes = static_cast<int64_t>(model.classes.size());
  int64_t total = 0;
  bool sound = c.scaler.factor.size() == d && c.scaler.offset.size() == d &&
               c.scaler.variance.size() == d && k >= 2 && std::isfinite(c.svm.gamma) &&
               c.svm.gamma > 0 && std::isfinite(c.svm.temperature) && c.svm.temperature > 0;
  for (int64_t n : c.svm.n_sv) {
    sound = sound && n >= 0 && n <= c.svm.support_vectors.dim(0);
    total += n;
  }
  for (int label : c.svm.classes)
    sound = sound && label >= 0 && label < classes &&
            std::count(c.svm.classes.begin(), c.svm.classes.end(), label) == 1;
  sound = sound && static_cast<int64_t>(c.svm.n_sv.size()) == k &&
          c.svm.support_vectors.shape() == Shape{total, static_cast<int64_t>(d)} &&
          c.svm.dual_coef.shape() == Shape{k - 1, total} &&
          static_cast<int64_t>(c.svm.rho.size()) == k * (k - 1) / 2 &&
          c.dense.weight.shape() == Shape{classes, static_cast<int64_t>(d)} &&
          c.dense.bias.shape() == Shape{classes};
  // One block a CNN, side by side, and all columns in them.
  int64_t begin = 0;
  sound = sound && c.scaler.blocks.size() == model.branches.size();
  for (size_t i = 0; sound && i < c.scaler.blocks.size(); ++i) {
    const FeatureBlock& block = c.scaler.blocks[i];
    sound = block.name == model.branches[i].role && block.begin == begin && block.width > 0 &&
            block.width <= static_cast<int64_t>(d) - begin;
    begin += sound ? block.width : 0;
  }
  sound = sound && begin == static_cast<int64_t>(d);
  require(sound, path, ": the classifier's parts do not fit together; fit the model again");
}

void load_classifier(EmotionModel& model, const std::string& path) {
  const SafetensorsFile file = read_safetensors(path);
  const auto at = [&](const std::string& name) -> const Tensor& {
    const auto found = file.tensors.find(name);
    require(found != file.tensors.end(), path, ": lacks '", name, "'; fit the model again");
    return found->second;
  };
  FusionClassifier& c = model.classifier;
  c.scaler.centre = vector_of<double>(at("scaler.centre"));
  c.scaler.factor = vector_of<double>(at("scaler.factor"));
  c.scaler.offset = vector_of<double>(at("scaler.offset"));
  c.scaler.variance = vector_of<double>(at("scaler.variance"));
  c.svm.support_vectors = at("svm.support_vectors");
  c.svm.dual_coef = at("svm.dual_coef");
  c.svm.rho = vector_of<double>(at("svm.rho"));
  c.svm.n_sv = vector_of<int64_t>(at("svm.n_sv"));
  const auto labels = vector_of<int32_t>(at("svm.classes"));
  c.svm.classes.assign(labels.begin(), labels.end());
  const auto numbers = vector_of<double>(at("svm.gamma_temperature"));
  require(numbers.size() == 2, path, ": 'svm.gamma_temperature' must hold 2 numbers");
  c.svm.gamma = numbers[0];
  c.svm.temperature = numbers[1];
  c.dense.weight = at("dense.weight");
  c.dense.bias = at("dense.bias");
  require(c.svm.support_vectors.rank() == 2 && c.svm.dual_coef.rank() == 2, path,
          ": the SVM's tensors must be matrices");
  check_classifier(c, model, path);
  file.file.require_intact();
}

}  // namespace

void save_model(const EmotionModel& model, const std::string& dir) {
  std::filesystem::create_directories(dir);
  json branches = json::array(), blocks = json::array();
  for (const Branch& b : model.branches) {
    save_weights(dir + "/" + b.role + ".safetensors", b.parameters,
                 {{"limbic.model", b.model}, {"limbic.preset", to_json(b.preset)}},
                 make_stored_case(build_model(b.model, b.classes), b.parameters));
    branches.push_back({{"role", b.role},
                        {"model", b.model},
                        {"classes", b.classes},
                        {"layer", b.layer},
                        {"softmax", b.softmax},
                        {"sha256", sha256_of_file(dir + "/" + b.role + ".safetensors")},
                        {"preset", json::parse(to_json(b.preset))}});
  }
  for (const FeatureBlock& b : model.classifier.scaler.blocks)
    blocks.push_back({{"name", b.name}, {"begin", b.begin}, {"width", b.width}});
  save_classifier(model.classifier, dir + "/classifier.safetensors");
  const Fusion& fusion = model.classifier.fusion;
  json j = {{"limbic_model", format_version},
            {"classes", model.classes},
            {"branches", branches},
            {"blocks", blocks},
            {"remarks", model.remarks}};
  if (fusion.alpha) j["alpha"] = *fusion.alpha;
  if (fusion.beta) j["beta"] = *fusion.beta;
  write_atomically(dir + "/model.json", [&](std::ostream& out) { out << j.dump(2) << "\n"; });
}

EmotionModel load_model(const std::string& dir) {
  const std::string path = dir + "/model.json";
  require(std::filesystem::exists(path), dir,
          ": not a model folder (it has no model.json); make one with `limbic fit`");
  EmotionModel model;
  try {
    const auto bytes = read_file(path, int64_t{64} << 20);
    const json j = json::parse(bytes.begin(), bytes.end());
    require(j.at("limbic_model") == format_version, path, ": of another version of Limbic");
    model.classes = j.at("classes").get<std::vector<std::string>>();
    model.remarks = j.at("remarks").get<std::map<std::string, std::string>>();
    Fusion& fusion = model.classifier.fusion;
    fusion = {std::nullopt, std::nullopt};
    if (j.contains("alpha")) fusion.alpha = j["alpha"].get<double>();
    if (j.contains("beta")) fusion.beta = j["beta"].get<double>();
    check(fusion);
    for (const json& b : j.at("blocks"))
      model.classifier.scaler.blocks.push_back({b.at("name"), b.at("begin"), b.at("width")});
    for (const json& b : j.at("branches")) {
      Branch branch{.role = b.at("role"),
                    .model = b.at("model"),
                    .classes = b.at("classes"),
                    .parameters = {},
                    .preset = preset_from_json(b.at("preset").dump()),
                    .layer = b.at("layer"),
                    .softmax = b.at("softmax"),
                    .hash = b.at("sha256")};
      require(branch.classes > 0 && branch.classes <= 1000000, path, ": a CNN of ", branch.classes,
              " classes");
      const Model network = build_model(branch.model, branch.classes);
      const std::string file =
          dir + "/" + std::filesystem::path(branch.role).filename().string() + ".safetensors";
      const Checkpoint weights = read_checkpoint(file);
      branch.parameters = network.graph.initialise(0, not_loaded_from(weights.tensors));
      load_parameters(weights.tensors, branch.parameters, {.source = file, .file = &weights.file});
      require(sha256_of_file(file) == branch.hash, file,
              ": is not the file that the model was saved with");
      model.branches.push_back(std::move(branch));
    }
  } catch (const json::exception& e) {
    fail(path, ": damaged (", e.what(), "); fit the model again");
  }
  load_classifier(model, dir + "/classifier.safetensors");
  return model;
}

}  // namespace limbic
