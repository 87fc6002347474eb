#include <cstdio>

#include "limbic/cli/output.h"
#include "limbic/cli/pages.h"
#include "limbic/cli/pipeline_options.h"
#include "limbic/cli/verbs.h"
#include "limbic/report/training_charts.h"

namespace limbic::cli {
namespace {

struct Options {
  PipelineOptions pipeline;
  double alpha = 0.5, beta = 0, C = 1.5;
  bool keep_thumbnails = false;
  Option beta_option;
};

void print_result(const Common& common, const emotion::FitResult& r, const std::string& out) {
  const auto accuracy = [](const network::Evaluation& e) {
    return nlohmann::ordered_json{{"accuracy", e.accuracy}, {"samples", e.samples}};
  };
  if (common.json()) {
    nlohmann::ordered_json j = {{"model", out},
                                {"classes", r.model.classes},
                                {"training_pictures", r.train_features.labels.size()},
                                {"skipped", r.skipped.size()}};
    for (const auto& [role, e] : r.single) j[role] = accuracy(e);
    if (r.cross_validated.samples > 0) j["cross_validated"] = accuracy(r.cross_validated);
    if (r.svm.samples > 0) {
      j["fusion_dense"] = accuracy(r.dense);
      j["fusion_svm"] = accuracy(r.svm);
      j["selection"] = r.model.remarks.at("selection");
    }
    print_json(j);
    return;
  }
  std::printf("trained on %zu pictures of %zu classes; the model is in %s\n",
              r.train_features.labels.size(), r.model.classes.size(), out.c_str());
  if (const auto& e = r.cross_validated; e.samples > 0) {
    std::printf("cross-validated, the SVM asked about photos of folds that it had not seen: %s\n\n",
                percent(e.accuracy).c_str());
    print_report(r.model.classes, e.confusion);
  }
  if (r.svm.samples == 0) return;
  std::printf("on %ld pictures held out:\n", r.svm.samples);
  for (const auto& [role, e] : r.single)
    std::printf("  %-22s %s\n", (role + " alone").c_str(), percent(e.accuracy).c_str());
  std::printf("  %-22s %s\n  %-22s %s\n", "fusion, dense layer", percent(r.dense.accuracy).c_str(),
              "fusion, SVM", percent(r.svm.accuracy).c_str());
  std::printf("(%s)\n\n", r.model.remarks.at("selection").c_str());
  print_report(r.model.classes, r.svm.confusion);
}

using Trainings = std::map<std::string, std::vector<train::EpochResult>>;

void finish_page(Page& page, const emotion::FitResult& r, const Trainings& trainings) {
  std::vector<std::string> notes = {str_cat("The pipeline learnt from ",
                                            r.train_features.labels.size(), " photos of ",
                                            r.model.classes.size(), " emotions.")};
  if (r.svm.samples > 0) {
    notes.push_back(str_cat("It was measured on ", r.svm.samples, " others; ",
                            r.model.remarks.at("selection"), "."));
    page.add("fusion, SVM", r.svm, r.model.classes);
    page.add({"fusion, dense layer", r.dense.accuracy, r.dense.samples});
    for (const auto& [role, e] : r.single) page.add({role + " alone", e.accuracy, e.samples});
    std::vector<double> probability;
    const auto classes = std::ssize(r.model.classes);
    for (size_t i = 0; i < r.prediction.labels.size(); ++i)
      probability.push_back(
          r.prediction.probabilities
              .data<double>()[static_cast<int64_t>(i) * classes + r.prediction.labels[i]]);
    page.add_worst(r.test, r.test_features.indices, r.prediction.labels, probability);
  } else if (r.cross_validated.samples > 0) {
    notes.push_back(
        "All of them taught the SVM, so that the accuracy is cross-validated: each photo was "
        "named by an SVM that had not seen its fold.");
    page.add("fusion, SVM, cross-validated", r.cross_validated, r.model.classes);
  }
  page.set_notes(std::move(notes));
  page.set_charts(report::training_charts(trainings));
  page.write();
}

int run(const Common& common, Options& o) {
  emotion::FitOptions f = o.pipeline.to_fit_options(common);
  const io::Dataset data = o.pipeline.open_data(common, f);
  const TrainingOptions& t = o.pipeline.training;
  Page page(communicator().leads() ? t.report : "", "Emotions of " + o.pipeline.data.data);
  const OutputFolder folder(f.out, t.resume, t.force);
  f.out = folder.path();
  when_interrupted("the same command with --resume goes on");
  f.classifier.fusion = o.beta_option.given() ? emotion::Fusion::with_beta(o.beta)
                                              : emotion::Fusion::with_alpha(o.alpha);
  f.classifier.C = o.C;
  f.keep_thumbnails = o.keep_thumbnails;
  Trainings trainings;
  f.after_epoch = [&](const std::string& role, const std::vector<train::EpochResult>& epochs) {
    trainings[role] = epochs;
    if (!page.wanted()) return;
    page.set_notes({"This run is still learning; the page asks again by itself."});
    page.set_charts(report::training_charts(trainings));
    page.write(true);
  };
  const emotion::FitResult result = fit(data, f, progress_bar(common));
  if (!communicator().leads()) return done;
  end_progress();
  for (const auto& text : result.notes) note(common, text);
  for (const auto& [role, training] : result.trainings) {
    trainings[role] = training.epochs;
    if (training.resumed_step > 0)
      note(common, str_cat(role, ": resumed at step ", training.resumed_step));
  }
  print_result(common, result, f.out);
  finish_page(page, result, trainings);
  return report_skipped(result.skipped, data);
}

}  // namespace

void add_fit(const Verb& app, const Common& common, Action& action) {
  auto o = std::make_shared<Options>();
  const Verb verb = add_verb(
      app, action, "fit", "Trains the paper's pipeline on all labelled photos of a folder.",
      "limbic fit --data photos --diff1 squeezenet1_1 --diff1-weights squeezenet1_1.safetensors "
      "--diff2 none --epochs 0 --out model",
      o, run, common);
  o->pipeline.add_to(verb);
  verb.add_option("--out", o->pipeline.out, "model folder to write").required();
  const Option alpha =
      verb.add_option("--alpha", o->alpha, "differential factor: alpha X1, (1-alpha) X2")
          .check(range(0.0, 1.0));
  o->beta_option =
      verb.add_option("--beta", o->beta, "amplification factor of the supplement, instead of alpha")
          .check(range(0.0, 1.0))
          .excludes(alpha);
  verb.add_option("--C", o->C, "the SVM's regularisation").check(above_zero());
  verb.add_flag("--keep-thumbnails", o->keep_thumbnails,
                "keep small pictures (up to 96 pixels) of the photos that the SVM remembers in the "
                "model folder, for `limbic explain` to show: whoever gets the model sees them");
}

}  // namespace limbic::cli
