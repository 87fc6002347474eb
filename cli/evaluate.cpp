#include <cstdio>

#include "limbic/cli/data_options.h"
#include "limbic/cli/pages.h"
#include "limbic/cli/pipeline_options.h"
#include "limbic/cli/verbs.h"
#include "limbic/emotion/model.h"

namespace limbic::cli {
namespace {

struct Options {
  std::string model, report;
  DataOptions data;
  int64_t batch_size = 16;
  std::vector<std::string> blocks;
};

int run(const Common& common, Options& o) {
  emotion::EmotionModel model = emotion::load_model(o.model);
  for (auto& [name, features] : open_blocks(o.blocks)) model.set_features(name, features);
  const io::Dataset data = o.data.list(common, model.classes);
  Page page(o.report, "How well " + o.model + " knows " + o.data.data);
  const emotion::BranchFeatures features = emotion::extract_features(
      model.branches, data, {.batch_size = o.batch_size, .task = "evaluating"},
      progress_bar(common));
  end_progress();
  require(!features.labels.empty(), o.data.data, ": not one of the pictures could be read");
  const auto classes = static_cast<int64_t>(model.classes.size());
  const emotion::Prediction p =
      emotion::classify(model.classifier, model.roles(), features.blocks, classes);
  const network::Evaluation e = network::evaluate_labels(p.labels, features.labels, classes);
  const network::Evaluation dense =
      network::evaluate_labels(p.dense_labels, features.labels, classes);
  if (common.json()) {
    print_json({{"accuracy", e.accuracy},
                {"samples", e.samples},
                {"per_class", report_json(model.classes, e.confusion)},
                {"confusion", e.confusion},
                {"classes", model.classes},
                {"accuracy_dense", dense.accuracy}});
  } else {
    std::printf("accuracy %s on %ld pictures (dense layer in place of the SVM: %s)\n\n",
                percent(e.accuracy).c_str(), e.samples, percent(dense.accuracy).c_str());
    print_report(model.classes, e.confusion);
  }
  page.add("fusion, SVM", e, model.classes);
  page.add({"fusion, dense layer", dense.accuracy, dense.samples});
  std::vector<double> probability;
  for (size_t i = 0; i < p.labels.size(); ++i)
    probability.push_back(
        p.probabilities.data<double>()[static_cast<int64_t>(i) * classes + p.labels[i]]);
  page.add_worst(data, features.indices, p.labels, probability);
  page.write();
  return report_skipped(features.skipped, data);
}

}  // namespace

void add_evaluate(const Verb& app, const Common& common, Action& action) {
  auto o = std::make_shared<Options>();
  const Verb verb =
      add_verb(app, action, "evaluate", "Accuracy of a model on labelled photos, class by class.",
               "limbic evaluate model --data photos/test", o, run, common);
  verb.add_option("model", o->model, "model folder made by fit").required();
  o->data.add_to(verb);
  verb.add_option("--block", o->blocks,
                  "NAME=FILE.safetensors: the pictures' features, of a model that was fitted with "
                  "such a block")
      .one_value_each();
  verb.add_option("--report", o->report,
                  "also write a page with the confusion and the worst photos");
  verb.add_option("--batch-size", o->batch_size, "pictures computed at once").check(range(1, 4096));
}

}  // namespace limbic::cli
