#include "limbic/cli/pipeline_options.h"

#include <cmath>
#include <set>
#include <tuple>

#include "limbic/cli/network.h"

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

Option add_branch(const Verb& verb, emotion::BranchSpec& spec, const std::string& name,
                  const std::string& what) {
  const Option option =
      verb.add_option("--" + name, spec.model, what + ", or none").check(known_model(true));
  verb.add_option("--" + name + "-weights", spec.weights,
                  "its checkpoint; it says the network too where that is not named");
  return option;
}

}  // namespace

std::vector<std::pair<std::string, std::shared_ptr<const emotion::FeatureFile>>> open_blocks(
    const std::vector<std::string>& blocks) {
  std::vector<std::pair<std::string, std::shared_ptr<const emotion::FeatureFile>>> out;
  std::set<std::string> names;
  for (const std::string& block : blocks) {
    const size_t at = block.find('=');
    const std::string name = block.substr(0, at);
    require(at != block.npos && at + 1 < block.size() && !name.empty() &&
                name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") == name.npos,
            "--block: expected NAME=FILE.safetensors with a name of a-z, 0-9, _ and -, got '",
            block, "'");
    require(names.insert(name).second, "--block ", name, ": given twice");
    out.emplace_back(name, std::make_shared<const emotion::FeatureFile>(block.substr(at + 1)));
  }
  return out;
}

namespace {

std::vector<std::string> preset_choices() {
  std::vector<std::string> out = io::preset_names();
  out.push_back("paper-literal");
  return out;
}

}  // namespace

void PipelineOptions::add_to(const Verb& verb) {
  data.add_to(verb);
  data.add_parts_to(verb);
  add_models_to(verb);
}

void PipelineOptions::add_models_to(const Verb& verb) {
  named1 = add_branch(verb, diff1, "diff1", "first differential CNN");
  named2 = add_branch(verb, diff2, "diff2", "second differential CNN");
  named_supplement =
      add_branch(verb, supplement, "supplement", "supplementary CNN that knows objects");
  verb.add_option("--block", blocks,
                  "NAME=FILE.safetensors: features that something else computed (see limbic "
                  "extract) as a block of the fused vector; the names diff1, diff2 and supplement "
                  "take a CNN's place")
      .one_value_each();
  verb.add_option("--scale", scale,
                  "block: each block standardised before it is weighted; "
                  "none: the paper's raw features")
      .check(one_of({"block", "none"}));
  verb.add_option("--kernel", kernel, "of the SVM: rbf or linear").check(one_of({"rbf", "linear"}));
  verb.add_option("--gamma", gamma, "of the RBF kernel: scale, auto or a number");
  verb.add_option("--select", select,
                  "which pictures choose the epoch: validation (a slice of "
                  "the training part) or test (as the paper did)")
      .check(one_of({"validation", "test"}));
  verb.add_option("--preset", preset,
                  "how the Diff-CNNs' pictures are prepared (default: each model's)")
      .check(one_of_many("PRESET", preset_choices()));
  verb.add_option("--image-size", image_size,
                  "height and width of the Diff-CNNs' input (0: the preset's)")
      .check(range(0, 4096));
  training.epochs = 20;
  training.add_to(verb);
  learning_rate = verb.option("--lr");
}

emotion::FitOptions PipelineOptions::to_fit_options(const Common& common) {
  emotion::FitOptions f;
  f.classifier.scale_blocks = scale == "block";
  f.classifier.seed = common.seed;
  set_gamma(gamma, f.classifier);
  if (kernel == "linear") f.classifier.kernel = svm::KernelType::linear;
  f.out = out;
  f.diff1 = diff1;
  f.diff2 = diff2;
  f.supplement = supplement;
  // Weights that come without a network's name are asked for it.
  for (const auto& [named, spec] : {std::pair{&named1, &f.diff1}, std::pair{&named2, &f.diff2},
                                    std::pair{&named_supplement, &f.supplement}})
    if (!named->given() && !spec->weights.empty()) spec->model.clear();
  f.blocks = open_blocks(blocks);
  for (const auto& [named, role, spec] :
       {std::tuple{&named1, "diff1", &f.diff1}, std::tuple{&named2, "diff2", &f.diff2}})
    for (const auto& [name, file] : f.blocks)
      if (name == role && !named->given() && spec->weights.empty()) spec->model = "none";
  for (emotion::BranchSpec* spec : {&f.diff1, &f.diff2}) {
    spec->preset = preset;
    if (preset == "paper-literal") {  // its text taken literally: 1/255, then the network's own
      spec->preset.clear();
      spec->pixel_scale = 1.0 / 255;
    }
    spec->image_size = image_size;
  }
  // Fine-tuning is gentle, as in the paper; nets without weights need a higher rate.
  const bool learns = f.diff1.model != "none" || f.diff2.model != "none";
  if (learns && !learning_rate.given() && diff1.weights.empty() && diff2.weights.empty()) {
    training.learning_rate = 0.05;
    if (image_size == 0)
      f.diff1.image_size = f.diff2.image_size = 64;  // 32 pixels, their papers' size, are few
    note(common,
         "no weights given: training from scratch with --lr 0.05 at 64x64 pixels "
         "(--lr and --image-size change that)");
  }
  f.training = training.to_train_options(common, "");
  for (const auto& [role, spec] : {std::pair{"diff1", &f.diff1}, std::pair{"diff2", &f.diff2}})
    require(training.epochs > 0 ||
                (role == std::string("diff1") ? f.diff1 : f.diff2).model == "none" ||
                !spec->weights.empty(),
            role, " (", spec->model, "): has no weights and --epochs 0 trains none; give --", role,
            "-weights FILE, or more --epochs, or --", role, " none");
  f.augmentation = training.augmentation();
  f.select_by_test = select == "test";
  return f;
}

io::Dataset PipelineOptions::open_data(const Common& common, emotion::FitOptions& f) const {
  DataParts parts = data.open(common);
  if (parts.validation && !parts.test) {
    note(common,
         "there are validation photos and no test photos: the accuracy is measured on the "
         "validation photos, and a slice of the others chooses the epoch");
    std::swap(parts.validation, parts.test);
  }
  f.validation = std::move(parts.validation);
  f.test = std::move(parts.test);
  return std::move(parts.train);
}

}  // namespace limbic::cli
