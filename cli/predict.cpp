#include <algorithm>
#include <cstdio>

#include "cli/pictures.h"
#include "cli/verbs.h"
#include "limbic/emotion/model.h"

namespace limbic::cli {
namespace {

struct Options {
  std::string model;
  Pictures pictures;
  int64_t batch_size = 16;
};

int run(const Common& common, Options& o) {
  const emotion::EmotionModel model = emotion::load_model(o.model);
  io::Dataset data{.classes = model.classes, .samples = {}};
  o.pictures.open(common);
  for (const auto& path : o.pictures.paths()) data.samples.push_back({path, 0});
  std::vector<std::string> heading = {"image", "emotion"};
  heading.insert(heading.end(), model.classes.begin(), model.classes.end());
  o.pictures.write(heading);
  ProgressFunction progress;
  if (data.size() > o.batch_size) progress = progress_bar(common);
  const emotion::BranchFeatures features = emotion::extract_features(
      model.branches, data, {.batch_size = o.batch_size, .task = "predicting"}, progress);
  const auto classes = static_cast<int64_t>(model.classes.size());
  emotion::Prediction p;
  if (!features.labels.empty())
    p = emotion::classify(model.classifier, model.roles(), features.blocks, classes);
  std::map<int64_t, size_t> row_of;  // of a sample
  for (size_t row = 0; row < features.indices.size(); ++row) row_of[features.indices[row]] = row;
  std::map<std::string, std::string> errors;
  for (const auto& s : features.skipped) errors[s.path] = s.reason;
  for (int64_t i = 0; i < data.size(); ++i) {
    const std::string& file = data.samples[static_cast<size_t>(i)].path;
    const std::string& path = o.pictures.shown(file);
    const auto found = row_of.find(i);
    if (found == row_of.end()) {
      if (common.json()) print_json({{"image", path}, {"error", errors[file]}});
      o.pictures.skip(file, errors[file]);
      continue;
    }
    const double* row =
        p.probabilities.data<double>() + static_cast<int64_t>(found->second) * classes;
    const auto label = static_cast<size_t>(p.labels[found->second]);
    std::vector<std::string> cells = {path, model.classes[label]};
    for (int64_t c = 0; c < classes; ++c) cells.push_back(str_cat(row[c]));
    o.pictures.write(cells);
    if (common.json()) {
      nlohmann::ordered_json all = nlohmann::ordered_json::object();
      for (int64_t c = 0; c < classes; ++c) all[model.classes[static_cast<size_t>(c)]] = row[c];
      print_json({{"image", path}, {"emotion", model.classes[label]}, {"probabilities", all}});
    } else {
      std::printf("%s (%s)\n", printable(path + ": " + model.classes[label]).c_str(),
                  percent(row[label]).c_str());
    }
  }
  return o.pictures.finish();
}

}  // namespace

void add_predict(const Verb& app, const Common& common, Action& action) {
  auto o = std::make_shared<Options>();
  const Verb verb = add_verb(app, action, "predict", "The emotion that each photo evokes.",
                             "limbic predict model photo.jpg", o, run, common);
  verb.add_option("model", o->model, "model folder made by fit").required();
  o->pictures.add_to(verb);
  verb.add_option("--batch-size", o->batch_size, "pictures computed at once").check(range(1, 4096));
}

}  // namespace limbic::cli
