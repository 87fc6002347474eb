#include "cli/pipeline_options.h"

#include <cmath>

#include "cli/network.h"

namespace limbic::cli {
namespace {

void set_gamma(const std::string& text, emotion::ClassifierOptions& classifier) {
  if (text == "scale") return;
  if (text == "auto") {
    classifier.gamma_rule = svm::GammaRule::automatic;
    return;
  }
  classifier.gamma_rule = svm::GammaRule::value;
  char* end = nullptr;
  classifier.gamma = std::strtod(text.c_str(), &end);
  require(*end == '\0' && classifier.gamma > 0 && std::isfinite(classifier.gamma),
          "--gamma: expected scale, auto or a positive number, got '", text, "'");
}

void add_branch(const Verb& verb, emotion::BranchSpec& spec, const std::string& name,
                const std::string& what) {
  verb.add_option("--" + name, spec.model, what + ": an architecture, or none")
      .check(known_model(true));
  verb.add_option("--" + name + "-weights", spec.weights, "its checkpoint (.safetensors or .pth)");
}

}  // namespace

void PipelineOptions::add_to(const Verb& verb) {
  verb.add_option("--data", data, "folder with one sub-folder an emotion").required();
  add_branch(verb, diff1, "diff1", "first differential CNN");
  add_branch(verb, diff2, "diff2", "second differential CNN");
  add_branch(verb, supplement, "supplement", "supplementary CNN that knows objects");
  verb.add_option("--scale", scale,
                  "block: each block standardised before it is weighted; "
                  "none: the paper's raw features")
      .check(one_of({"block", "none"}));
  verb.add_option("--gamma", gamma, "of the RBF kernel: scale, auto or a number");
  verb.add_option("--select", select,
                  "which pictures choose the epoch: validation (a slice of "
                  "the training part) or test (as the paper did)")
      .check(one_of({"validation", "test"}));
  verb.add_option("--preset", preset,
                  "how the Diff-CNNs' pictures are prepared (default: each model's)")
      .check(one_of(io::preset_names()));
  verb.add_option("--image-size", image_size, "height and width of the Diff-CNNs' input")
      .check(range(1, 4096));
  training.epochs = 20;
  training.add_to(verb);
  learning_rate = verb.option("--lr");
}

emotion::FitOptions PipelineOptions::to_fit_options(const Common& common) {
  emotion::FitOptions f;
  f.classifier.scale_blocks = scale == "block";
  f.classifier.seed = common.seed;
  set_gamma(gamma, f.classifier);
  f.out = out;
  f.diff1 = diff1;
  f.diff2 = diff2;
  f.supplement = supplement;
  for (emotion::BranchSpec* spec : {&f.diff1, &f.diff2}) {
    spec->preset = preset;
    spec->image_size = image_size;
  }
  // Fine-tuning is gentle, as in the paper; nets without weights need a higher rate.
  if (!learning_rate.given() && diff1.weights.empty() && diff2.weights.empty()) {
    training.learning_rate = 0.05;
    if (image_size == 0)
      f.diff1.image_size = f.diff2.image_size = 64;  // 32 pixels, their papers' size, are few
    note(common,
         "no weights given: training from scratch with --lr 0.05 at 64x64 pixels "
         "(--lr and --image-size change that)");
  }
  f.training = training.to_train_options(common, "");
  f.augmentation = training.augmentation();
  f.select_by_test = select == "test";
  return f;
}

}  // namespace limbic::cli
