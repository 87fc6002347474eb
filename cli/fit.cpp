#include <cstdio>

#include "cli/pipeline_options.h"
#include "cli/verbs.h"

namespace limbic::cli {
namespace {

struct Options {
  PipelineOptions pipeline;
  double alpha = 0.5, beta = 0, C = 1.5;
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
  if (r.svm.samples == 0) return;
  std::printf("on %ld pictures held out:\n", r.svm.samples);
  for (const auto& [role, e] : r.single)
    std::printf("  %-22s %s\n", (role + " alone").c_str(), percent(e.accuracy).c_str());
  std::printf("  %-22s %s\n  %-22s %s\n", "fusion, dense layer", percent(r.dense.accuracy).c_str(),
              "fusion, SVM", percent(r.svm.accuracy).c_str());
  std::printf("(%s)\n\n", r.model.remarks.at("selection").c_str());
  print_report(r.model.classes, r.svm.confusion);
}

int run(const Common& common, Options& o) {
  const io::Dataset data = io::list_folders(o.pipeline.data);
  note_left_out(common, data);
  emotion::FitOptions f = o.pipeline.to_fit_options(common);
  f.classifier.fusion = o.beta_option.given() ? emotion::Fusion::with_beta(o.beta)
                                              : emotion::Fusion::with_alpha(o.alpha);
  f.classifier.C = o.C;
  const emotion::FitResult result = fit(data, f, progress_bar(common));
  end_progress();
  for (const auto& text : result.notes) note(common, text);
  for (const auto& [role, training] : result.trainings)
    if (training.resumed_step > 0)
      note(common, str_cat(role, ": resumed at step ", training.resumed_step));
  print_result(common, result, f.out);
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
}

}  // namespace limbic::cli
