// The model folder: model.json and, named in it with their hashes, a file for each CNN and one for
// the classifiers.
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "limbic/core/file.h"
#include "limbic/core/json_numbers.h"
#include "limbic/core/version.h"
#include "limbic/emotion/hashed_name.h"
#include "limbic/emotion/model.h"
#include "limbic/hash/hash.h"
#include "limbic/network/stored_case.h"
#include "limbic/svm/model_tensors.h"
#include "limbic/train/checkpoint.h"
#include "limbic/weights/checkpoint.h"
#include "limbic/weights/header.h"
#include "limbic/weights/load.h"
#include "limbic/weights/safetensors.h"
#include "limbic/weights/zip.h"

namespace limbic::emotion {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// 1: files of fixed names, the classifiers' without a hash. 2: every file named with its hash, and
// model.json with its own. 3: the same with a linear SVM, which readers of 2 would take for RBF.
// 4: alpha and beta together, or blocks that are no CNN's. Thumbnails change no answer, and so no
// version: readers that do not know them leave them alone.
constexpr int format_version = 2, linear_version = 3, blocks_version = 4;

// The hash of all else that model.json says.
std::string own_hash(json j) {
  j.erase("sha256");
  return sha256_of_text(j.dump());
}

// A file name of the folder itself, not a way out of it.
std::string plain_name(const std::string& name, const std::string& path) {
  require(!name.empty() && name.front() != '.' && fs::path(name).filename() == name, path,
          ": names a file '", name, "' that is not in its folder");
  return name;
}

// The files of a model, in a folder or in a zip archive of one.
class ModelFiles {
 public:
  explicit ModelFiles(const std::string& dir) : name_(dir) {
    std::error_code ignored;
    if (fs::is_regular_file(dir, ignored)) open(map_file(dir));
  }
  explicit ModelFiles(const MappedFile& archive) : name_(archive.path) { open(archive); }

  std::string path(const std::string& file) const { return name_ + "/" + file; }
  /// Throws Error where it is not there.
  MappedFile file(const std::string& name) const {
    if (!archive_) return map_file(path(name));
    const weights::ZipMember* member = archive_->find(within_ + name);
    require(member != nullptr, path(name), ": is not in the archive");
    MappedFile out = archive_->read(*member, uint64_t{4} << 30);
    out.path = path(name);
    return out;
  }
  bool has_description() const {
    return archive_ ? archive_->find(within_ + description) != nullptr
                    : fs::exists(path(description));
  }

  static constexpr const char* description = "model.json";

 private:
  // The folder may have been packed as a whole: then its name stands before all others.
  void open(const MappedFile& archive) {
    if (!weights::is_zip(weights::text_of(archive))) return;
    archive_.emplace(archive);
    for (const weights::ZipMember& m : archive_->members())
      if (const auto at = m.name.find('/');
          at != m.name.npos && m.name.substr(at + 1) == description)
        within_ = m.name.substr(0, at + 1);
  }

  std::string name_, within_;
  std::optional<weights::ZipArchive> archive_;
};

json read_description(const ModelFiles& files) {
  const std::string path = files.path(ModelFiles::description);
  require(files.has_description(), path.substr(0, path.rfind('/')),
          ": not a model folder (it has no model.json); make one with `limbic fit`");
  const MappedFile file = files.file(ModelFiles::description);
  require(std::ssize(file.bytes) <= int64_t{64} << 20, path, ": is too long");
  const json j = parse_json<json>(weights::text_of(file), path);
  file.require_intact();
  const int64_t version = whole_number(j.at("limbic_model"), path + ": limbic_model", 0);
  require(version >= 1 && version <= blocks_version, path, ": a model folder of format ", version,
          ", written by a newer Limbic; this one (", limbic::version(), ") knows formats 1 to ",
          blocks_version);
  require(version == 1 || j.at("sha256") == own_hash(j), path,
          ": is not what was saved (its hash differs); fit the model again");
  return j;
}

// Part -> file name: "diff1" ..., "classifier".
std::map<std::string, std::string> names_in(const json& j, const std::string& path) {
  const bool first = j.at("limbic_model") == 1;
  std::map<std::string, std::string> out;
  for (const json& b : j.at("branches")) {
    if (b.contains("external")) continue;  // nothing of it is kept
    const std::string role = b.at("role");
    const std::string name = first ? role + ".safetensors" : b.at("file").get<std::string>();
    require(out.emplace(role, plain_name(name, path)).second, path, ": two CNNs are '", role, "'");
  }
  out["classifier"] = plain_name(
      first ? "classifier.safetensors" : j.at("classifier").at("file").get<std::string>(), path);
  if (j.contains("thumbnails"))
    out["thumbnails"] = plain_name(j["thumbnails"].at("file").get<std::string>(), path);
  return out;
}

// Writes the files of a model beside those of the model that is there. Until commit() has renamed
// model.json the old one is whole; without a commit nothing of the new one stays.
class FolderWriter {
 public:
  explicit FolderWriter(const std::string& dir) : dir_(dir) {
    std::error_code error;
    fs::create_directories(dir, error);
    require(!error, dir, ": cannot make the folder: ", error.message());
  }
  ~FolderWriter() {
    for (const std::string& name : fresh_) remove(name);
  }
  FolderWriter(const FolderWriter&) = delete;
  FolderWriter& operator=(const FolderWriter&) = delete;

  // write(path) a file, which gets a name by its content: {"file": ..., "sha256": ...}.
  json add(const std::string& part, const std::function<void(const std::string&)>& write) {
    const std::string draft = part + ".new.safetensors", path = dir_ + "/" + draft;
    fresh_.push_back(draft);
    write(path);
    const std::string hash = sha256_of_file(path);
    const std::string name = part + "-" + hash.substr(0, 16) + ".safetensors";
    if (!fs::exists(dir_ + "/" + name)) fresh_.push_back(name);
    if (std::rename(path.c_str(), (dir_ + "/" + name).c_str()) != 0)
      fail(dir_, "/", name, ": cannot write: ", std::strerror(errno));
    names_.insert(name);
    return {{"file", name}, {"sha256", hash}};
  }

  void commit(json j) {
    const std::set<std::string> old = old_names();
    j["sha256"] = own_hash(j);
    write_atomically(dir_ + "/model.json", [&](std::ostream& out) { out << j.dump(2) << "\n"; });
    fresh_.clear();
    for (const std::string& name : old)
      if (!names_.contains(name)) remove(name);
  }

 private:
  void remove(const std::string& name) const {
    std::error_code ignored;
    fs::remove(dir_ + "/" + name, ignored);
  }

  // Of a save, whole or killed: PART-HASH.safetensors, PART.new.safetensors and model.json, with
  // ".tmp." and more behind it.
  static bool is_ours(std::string_view name) {
    static const std::initializer_list<std::string_view> parts = {"diff1", "diff2", "supplement",
                                                                  "classifier", "thumbnails"};
    name = name.substr(0, name.find(".tmp."));
    if (name == "model.json") return true;
    if (!name.ends_with(".safetensors")) return false;
    name.remove_suffix(std::string_view(".safetensors").size());
    if (const auto rest = after_hash(name, parts)) return rest->empty();
    return name.ends_with(".new") &&
           std::ranges::find(parts, name.substr(0, name.size() - 4)) != parts.end();
  }

  // Files of earlier saves, also of ones that were killed.
  std::set<std::string> old_names() const {
    std::set<std::string> out;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(dir_, ignored))
      if (const std::string name = entry.path().filename(); name != "model.json" && is_ours(name))
        out.insert(name);
    try {
      for (const auto& [part, name] : names_in(read_description(ModelFiles(dir_)), dir_))
        out.insert(name);
    } catch (const std::exception&) {
      // no model was there, or none that can be read
    }
    return out;
  }

  std::string dir_;
  std::vector<std::string> fresh_;  // to be removed unless all is committed
  std::set<std::string> names_;
};

void save_classifier(const FusionClassifier& c, const std::string& path) {
  svm::Tensors tensors = {{"dense.weight", c.dense.weight}, {"dense.bias", c.dense.bias}};
  svm::add_tensors(c.scaler, tensors);
  svm::add_tensors(c.svm, tensors);
  weights::write_safetensors(path, tensors);
}

// That the scaler, the SVM and the dense layer are of one model: these CNNs and these classes.
void check_classifier(const FusionClassifier& c, const EmotionModel& model,
                      const std::string& path) {
  const std::vector<std::string> roles = model.roles();
  require(std::equal(c.scaler.blocks.begin(), c.scaler.blocks.end(), roles.begin(), roles.end(),
                     [](const auto& block, const auto& role) { return block.name == role; }),
          path, ": its blocks of features are not the model's CNNs, one each in their order");
  require(c.svm.features() == c.scaler.features(), path, ": the SVM has ", c.svm.features(),
          " features, the scaler ", c.scaler.features());
  for (int label : c.svm.classes)
    require(label >= 0 && label < std::ssize(model.classes), path, ": the SVM knows a class ",
            label, ", expected less than ", model.classes.size());
}

void require_hash(const MappedFile& file, const std::string& hash) {
  require(
      sha256(file.bytes) == hash, file.path,
      ": is not the file that the model was saved with (its hash differs); fit the model again");
}

// hash: empty in folders of version 1, which did not keep it.
void load_classifier(EmotionModel& model, std::vector<svm::FeatureBlock> blocks,
                     const MappedFile& mapped, const std::string& hash) {
  const std::string& path = mapped.path;
  if (!hash.empty()) require_hash(mapped, hash);
  const weights::SafetensorsFile file = weights::parse_safetensors(mapped);
  FusionClassifier& c = model.classifier;
  try {
    c.scaler = svm::scaler_from_tensors(file.tensors, std::move(blocks), path);
    c.svm = svm::svc_from_tensors(file.tensors, path);
    check_classifier(c, model, path);
    const int64_t classes = std::ssize(model.classes);
    c.dense.weight = svm::take_tensor(file.tensors, "dense.weight", DType::f32,
                                      {classes, c.scaler.features()}, path);
    c.dense.bias = svm::take_tensor(file.tensors, "dense.bias", DType::f32, {classes}, path);
  } catch (const Error& error) {
    fail(error.what(), "; fit the model again");
  }
  file.file.require_intact();
}

std::string thumbnail_name(size_t support_vector) { return str_cat(support_vector); }

void save_thumbnails(const std::vector<Tensor>& thumbnails, const std::string& path) {
  std::map<std::string, Tensor> tensors;
  for (size_t i = 0; i < thumbnails.size(); ++i) tensors[thumbnail_name(i)] = thumbnails[i];
  weights::write_safetensors(path, tensors);
}

// One for each support vector; what is in them is looked at where one is shown.
std::vector<Tensor> load_thumbnails(const MappedFile& mapped, const std::string& hash, int64_t n) {
  require_hash(mapped, hash);
  const weights::SafetensorsFile file = weights::parse_safetensors(mapped);
  require(std::ssize(file.tensors) == n, mapped.path, ": ", file.tensors.size(), " thumbnails of ",
          n, " support vectors; fit the model again");
  std::vector<Tensor> out;
  for (size_t i = 0; i < file.tensors.size(); ++i) {
    const auto found = file.tensors.find(thumbnail_name(i));
    require(found != file.tensors.end() && found->second.dtype() == DType::u8, mapped.path,
            ": no thumbnail of support vector ", i, "; fit the model again");
    out.push_back(found->second);
  }
  return out;
}

Branch load_external(const json& b) {
  Branch out{.role = b.at("role")};
  out.hash = b.at("external");
  out.external = true;
  return out;
}

Branch load_branch(const json& b, const std::string& path, const MappedFile& file) {
  Branch branch{.role = b.at("role"),
                .network = {},
                .layer = b.at("layer"),
                .softmax = b.at("softmax"),
                .hash = b.at("sha256")};
  const int64_t classes = whole_number(b.at("classes"), path + ": classes", 1, 1000000);
  network::Network& n = branch.network;
  std::vector<models::HiddenLayer> hidden;
  for (const json& layer : b.value("hidden", json::array()))
    hidden.push_back(
        {whole_number(layer.at("width"), path + ": width", 1, 1000000), layer.at("relu")});
  n.model = models::build_model(b.at("model"), classes, hidden);
  n.preset = io::preset_from_json(b.at("preset").dump());
  const weights::Checkpoint weights = weights::read_checkpoint(file);
  n.parameters = n.model.graph.initialise(0, weights::not_loaded_from(weights.tensors));
  weights::load_parameters(weights.tensors, n.parameters,
                           {.source = file.path, .file = &weights.file});
  require_hash(weights.file, branch.hash);
  return branch;
}

}  // namespace

std::map<std::string, std::string> model_files(const std::string& dir) {
  const std::string path = dir + "/model.json";
  try {
    std::map<std::string, std::string> out = names_in(read_description(ModelFiles(dir)), path);
    for (auto& [part, name] : out) name = dir + "/" + name;
    return out;
  } catch (const json::exception& e) {
    fail(path, ": damaged (", reason_of(e), "); fit the model again");
  }
}

void save_model(const EmotionModel& model, const std::string& dir) {
  FolderWriter folder(dir);
  json branches = json::array(), blocks = json::array();
  bool external = false;
  for (const Branch& b : model.branches) {
    if (b.external) {
      external = true;
      branches.push_back({{"role", b.role}, {"external", b.hash}});
      continue;
    }
    const network::Network& n = b.network;
    json entry = folder.add(b.role, [&](const std::string& path) {
      train::save_weights(
          path, n.parameters,
          {{"limbic.model", n.model.name}, {"limbic.preset", io::to_json(n.preset)}},
          network::make_stored_case(n.model, n.parameters));
    });
    entry.update({{"role", b.role},
                  {"model", n.model.name},
                  {"classes", n.model.classes},
                  {"layer", b.layer},
                  {"softmax", b.softmax},
                  {"preset", json::parse(io::to_json(n.preset))}});
    for (const models::HiddenLayer& layer : n.model.hidden)
      entry["hidden"].push_back({{"width", layer.width}, {"relu", layer.relu}});
    branches.push_back(entry);
  }
  for (const svm::FeatureBlock& b : model.classifier.scaler.blocks)
    blocks.push_back({{"name", b.name}, {"begin", b.begin}, {"width", b.width}});
  const json classifier = folder.add(
      "classifier", [&](const std::string& path) { save_classifier(model.classifier, path); });
  const Fusion& fusion = model.classifier.fusion;
  const bool linear = model.classifier.svm.kernel == svm::KernelType::linear;
  const bool blocks_or_both = external || (fusion.alpha && fusion.beta);
  json j = {{"limbic_model", blocks_or_both ? blocks_version
                             : linear       ? linear_version
                                            : format_version},
            {"classes", model.classes},
            {"branches", branches},
            {"classifier", classifier},
            {"blocks", blocks},
            {"remarks", model.remarks}};
  if (fusion.alpha) j["alpha"] = *fusion.alpha;
  if (fusion.beta) j["beta"] = *fusion.beta;
  if (!model.thumbnails.empty())
    j["thumbnails"] = folder.add(
        "thumbnails", [&](const std::string& path) { save_thumbnails(model.thumbnails, path); });
  folder.commit(std::move(j));
}

namespace {

EmotionModel load(const ModelFiles& files) {
  const std::string path = files.path(ModelFiles::description);
  EmotionModel model;
  try {
    const json j = read_description(files);
    const auto names = names_in(j, path);
    model.classes = j.at("classes").get<std::vector<std::string>>();
    model.remarks = j.at("remarks").get<std::map<std::string, std::string>>();
    Fusion& fusion = model.classifier.fusion;
    fusion = {std::nullopt, std::nullopt};
    if (j.contains("alpha")) fusion.alpha = j["alpha"].get<double>();
    if (j.contains("beta")) fusion.beta = j["beta"].get<double>();
    check(fusion);
    require(!(fusion.alpha && fusion.beta) || j.at("limbic_model") == blocks_version, path,
            ": has alpha and beta, which only format ", blocks_version,
            " may; fit the model again");
    std::vector<svm::FeatureBlock> blocks;
    for (const json& b : j.at("blocks"))
      blocks.push_back({b.at("name"), whole_number(b.at("begin"), path + ": begin", 0),
                        whole_number(b.at("width"), path + ": width", 0)});
    for (const json& b : j.at("branches"))
      model.branches.push_back(b.contains("external")
                                   ? load_external(b)
                                   : load_branch(b, path, files.file(names.at(b.at("role")))));
    load_classifier(
        model, std::move(blocks), files.file(names.at("classifier")),
        j.at("limbic_model") == 1 ? "" : j.at("classifier").at("sha256").get<std::string>());
    if (j.contains("thumbnails"))
      model.thumbnails =
          load_thumbnails(files.file(names.at("thumbnails")), j["thumbnails"].at("sha256"),
                          model.classifier.svm.support_vectors.dim(0));
  } catch (const json::exception& e) {
    fail(path, ": damaged (", reason_of(e), "); fit the model again");
  }
  return model;
}

}  // namespace

EmotionModel load_model(const std::string& dir) { return load(ModelFiles(dir)); }
EmotionModel load_model(const MappedFile& archive) { return load(ModelFiles(archive)); }

bool is_model(const std::string& path) { return ModelFiles(path).has_description(); }
bool is_model(const MappedFile& archive) { return ModelFiles(archive).has_description(); }

void archive_model(const std::string& dir, std::ostream& out) {
  const ModelFiles files(dir);
  std::vector<MappedFile> contents = {files.file(ModelFiles::description)};
  std::vector<weights::StoredMember> members = {{ModelFiles::description, contents[0].bytes}};
  load(files);  // what cannot be opened is not worth keeping
  for (const auto& [part, name] : names_in(read_description(files), dir)) {
    contents.push_back(files.file(name));
    members.push_back({name, contents.back().bytes});
  }
  weights::store_zip(out, members);
  for (const MappedFile& file : contents) file.require_intact();
}

}  // namespace limbic::emotion
