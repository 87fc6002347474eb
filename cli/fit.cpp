#include <cstdio>

#include "cli/network.h"
#include "cli/training_options.h"
#include "cli/verbs.h"
#include "emotion/fit.h"

namespace limbic::cli {
namespace {

struct Options {
  std::string data, out, scale = "block", gamma = "scale", select = "validation", preset;
  BranchSpec diff1{.model = "resnet20"}, diff2{.model = "densenet_small"}, supplement;
  double alpha = 0.5, beta = 0, C = 1.5;
  bool has_beta = false;
  int64_t image_size = 0;
  TrainingOptions training;
  CLI::Option *learning_rate = nullptr, *beta_option = nullptr;
};

ClassifierOptions classifier_options(const Common& common, const Options& o) {
  ClassifierOptions c;
  c.fusion = o.beta_option->count() > 0 ? Fusion::with_beta(o.beta) : Fusion::with_alpha(o.alpha);
  c.C = o.C;
  c.scale_blocks = o.scale == "block";
  c.seed = common.seed;
  if (o.gamma == "auto") {
    c.gamma_rule = GammaRule::automatic;
  } else if (o.gamma != "scale") {
    c.gamma_rule = GammaRule::value;
    char* end = nullptr;
    c.gamma = std::strtod(o.gamma.c_str(), &end);
    require(*end == '\0' && c.gamma > 0,
            "--gamma: expected scale, auto or a positive number, got '", o.gamma, "'");
  }
  return c;
}

void print_result(const Common& common, const FitResult& r, const std::string& out) {
  const auto accuracy = [](const Evaluation& e) {
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
  FitOptions f;
  f.classifier = classifier_options(common, o);
  const Dataset data = list_folders(o.data);
  f.out = o.out;
  f.diff1 = o.diff1;
  f.diff2 = o.diff2;
  f.supplement = o.supplement;
  for (BranchSpec* spec : {&f.diff1, &f.diff2}) {
    spec->preset = o.preset;
    spec->image_size = o.image_size;
  }
  // Fine-tuning is gentle, as in the paper; nets without weights need a higher rate.
  if (o.learning_rate->count() == 0 && o.diff1.weights.empty() && o.diff2.weights.empty()) {
    o.training.learning_rate = 0.05;
    if (o.image_size == 0)
      f.diff1.image_size = f.diff2.image_size = 64;  // 32 pixels, their papers' size, are few
    note(common,
         "no weights given: training from scratch with --lr 0.05 at 64x64 pixels "
         "(--lr and --image-size change that)");
  }
  f.training = o.training.to_train_options(common, data, "");
  f.augmentation = o.training.augmentation();
  f.select_by_test = o.select == "test";
  const FitResult result = fit(data, f, progress_bar(common));
  end_progress();
  for (const auto& text : result.notes) note(common, text);
  for (const auto& [role, training] : result.trainings)
    if (training.resumed_step > 0)
      note(common, str_cat(role, ": resumed at step ", training.resumed_step));
  print_result(common, result, o.out);
  return report_skipped(result.skipped);
}

void add_branch(CLI::App& verb, BranchSpec& spec, const std::string& name,
                const std::string& what) {
  verb.add_option("--" + name, spec.model, what + ": an architecture, or none")
      ->check(known_model(true));
  verb.add_option("--" + name + "-weights", spec.weights, "its checkpoint (.safetensors or .pth)");
}

}  // namespace

void add_fit(CLI::App& app, const Common& common, Action& action) {
  auto o = std::make_shared<Options>();
  o->training.epochs = 20;
  CLI::App* verb = add_verb(
      app, action, "fit", "Trains the paper's pipeline on all labelled photos of a folder.",
      "limbic fit --data photos --diff1 squeezenet1_1 --diff1-weights squeezenet1_1.safetensors "
      "--diff2 none --epochs 0 --out model",
      o, run, common);
  verb->add_option("--data", o->data, "folder with one sub-folder an emotion")->required();
  verb->add_option("--out", o->out, "model folder to write")->required();
  add_branch(*verb, o->diff1, "diff1", "first differential CNN");
  add_branch(*verb, o->diff2, "diff2", "second differential CNN");
  add_branch(*verb, o->supplement, "supplement", "supplementary CNN that knows objects");
  auto* alpha = verb->add_option("--alpha", o->alpha, "differential factor: alpha X1, (1-alpha) X2")
                    ->check(CLI::Range(0.0, 1.0));
  o->beta_option = verb->add_option("--beta", o->beta,
                                    "amplification factor of the supplement, instead of alpha")
                       ->check(CLI::Range(0.0, 1.0))
                       ->excludes(alpha);
  verb->add_option("--C", o->C, "the SVM's regularisation")->check(CLI::PositiveNumber);
  verb->add_option("--scale", o->scale,
                   "block: each block standardised before it is weighted; "
                   "none: the paper's raw features")
      ->check(CLI::IsMember({"block", "none"}));
  verb->add_option("--gamma", o->gamma, "of the RBF kernel: scale, auto or a number");
  verb->add_option("--select", o->select,
                   "which pictures choose the epoch: validation (a slice of "
                   "the training part) or test (as the paper did)")
      ->check(CLI::IsMember({"validation", "test"}));
  verb->add_option("--preset", o->preset,
                   "how the Diff-CNNs' pictures are prepared (default: each model's)")
      ->check(CLI::IsMember(preset_names()));
  verb->add_option("--image-size", o->image_size, "height and width of the Diff-CNNs' input")
      ->check(CLI::Range(1, 4096));
  o->training.add_to(*verb);
  o->learning_rate = verb->get_option("--lr");
}

}  // namespace limbic::cli
