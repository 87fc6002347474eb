#include <cstdio>
#include <filesystem>

#include "limbic/cli/verbs.h"
#include "limbic/emotion/model.h"
#include "limbic/models/models.h"
#include "limbic/network/stored_case.h"
#include "limbic/weights/checkpoint.h"

namespace limbic::cli {
namespace {

struct Options {
  std::string file, model;
};

void print(const Common& common, const std::string& file, const network::CaseResult& r) {
  const char* tune = r.tuned ? "on" : "off";
  if (common.json()) {
    nlohmann::ordered_json line = {{"file", file}, {"dtype", r.dtype}, {"tune", tune}};
    if (r.refused.empty())
      line.update({{"features_difference", r.features},
                   {"logits_difference", r.logits},
                   {"same_classes", r.same_classes},
                   {"limit", r.limit},
                   {"passed", r.passed()}});
    else
      line["refused"] = r.refused;
    print_json(line);
  } else if (!r.refused.empty()) {
    std::printf("  %-5s tune %-4s not here: %s\n", r.dtype.c_str(), tune, r.refused.c_str());
  } else {
    std::printf("  %-5s tune %-4s features %.2e   logits %.2e   %s   %s\n", r.dtype.c_str(), tune,
                r.features, r.logits, r.same_classes ? "same classes " : "other classes",
                r.passed() ? "ok" : str_cat("DIFFERS (limit ", r.limit, ")").c_str());
  }
}

int run(const Common& common, Options& o) {
  // Of a model folder, what model.json names, the classifier and all hashes included.
  std::vector<std::string> files = {o.file};
  if (std::filesystem::is_directory(o.file)) {
    files.clear();
    emotion::load_model(o.file);  // checks the hash of every file, the classifiers' too
    for (const auto& [part, path] : emotion::model_files(o.file))
      if (part != "classifier" && part != "thumbnails") files.push_back(path);
  }
  bool all = true;
  for (const std::string& file : files) {
    const network::Network network =
        network::open_network({.model = o.model, .weights = file, .share = true});
    const auto results = network::run_stored_case(network);
    if (!common.json())
      std::printf("%s: %s; difference from the stored outputs, ||a-b|| / ||b||\n", file.c_str(),
                  network.model.name.c_str());
    for (const network::CaseResult& result : results) {
      print(common, file, result);
      all = all && (result.passed() || !result.refused.empty());
    }
  }
  return all ? done : failed;
}

}  // namespace

void add_verify(const Verb& app, const Common& common, Action& action) {
  auto o = std::make_shared<Options>();
  const Verb verb =
      add_verb(app, action, "verify",
               "Runs the inputs stored in a converted checkpoint or a model folder on this "
               "machine, in every "
               "dtype, tuned and not, and compares with the outputs stored beside them.",
               "limbic verify resnet101.safetensors", o, run, common);
  verb.add_option("file", o->file, "file that `limbic convert` wrote, or a model folder")
      .required();
  verb.add_option("--model", o->model, "architecture (default: what the file says)")
      .check(one_of(models::model_names()));
}

}  // namespace limbic::cli
