#include "limbic/reproduce/verb.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "limbic/cli/network.h"
#include "limbic/cli/output.h"
#include "limbic/cli/pipeline_options.h"
#include "limbic/reproduce/estimate.h"
#include "limbic/reproduce/json.h"
#include "limbic/reproduce/page.h"
#include "limbic/reproduce/paper.h"

namespace limbic::reproduce {
namespace {

struct Given {
  cli::PipelineOptions pipeline;
  std::string fi, artphoto, abstract, emotionroi, own;
  Options study;
  std::vector<std::string> baselines = {"all"};
  std::string alexnet_weights, deepsentibank_weights, pairs,
      shallow = "none", shallow_weights, lite_emotion = "mobilenet_v2", lite_emotion_weights,
      lite_object = "none", lite_object_weights, lite_category = "none", lite_category_weights,
      grid = "auto";
  int64_t baseline_size = 0;
};

// Every name that --baselines says, in table 3's order.
std::vector<std::string> chosen_baselines(const std::vector<std::string>& given) {
  std::vector<std::string> out;
  for (const auto& row : baselines::rows()) out.push_back(row.name);
  if (given == std::vector<std::string>{"all"}) return out;
  if (given == std::vector<std::string>{"none"}) return {};
  for (const std::string& name : given) baselines::find_row(name);  // throws, listing the names
  std::erase_if(out, [&](const std::string& name) {
    return std::find(given.begin(), given.end(), name) == given.end();
  });
  return out;
}

std::vector<SetSource> sources_of(Given& g) {
  const std::string& data = g.pipeline.data.data;
  require(
      g.fi.empty() != data.empty(),
      "give the primary set, either as --fi DIR (Image Emotion) or as --data DIR (any classes)");
  std::vector<SetSource> out;
  const std::string& layout = g.pipeline.data.layout;
  if (!g.fi.empty())
    out.push_back({"fi", g.fi, layout.empty() ? io::Layout::fi : io::layout_of(layout)});
  else
    out.push_back({"fi", data, layout.empty() ? io::find_layout(data) : io::layout_of(layout)});
  for (const auto& [key, path] :
       {std::pair{"emotionroi", &g.emotionroi}, std::pair{"artphoto", &g.artphoto},
        std::pair{"abstract", &g.abstract}, std::pair{"own", &g.own}}) {
    if (path->empty()) continue;
    const io::Layout found = io::find_layout(*path);
    // A set that was laid out as folders is read so, whatever it is.
    out.push_back({key, *path, found});
  }
  return out;
}

Options options_of(const cli::Common& common, Given& g) {
  Options o = g.study;
  cli::PipelineOptions& p = g.pipeline;
  const bool named = p.named1.given() || p.named2.given();
  const bool weights = !p.diff1.weights.empty() || !p.diff2.weights.empty() || !p.blocks.empty();
  require(named || weights,
          "the paper fine-tunes resnet101 and densenet201 from ImageNet's weights: give "
          "--diff1-weights, --diff2-weights and --supplement-weights (`limbic weights url` says "
          "where they are), or name networks to train from scratch, such as --diff1 resnet14 "
          "--diff2 densenet_small");
  o.sets = sources_of(g);
  o.layout = p.data.layout_options();
  o.literal_preset = p.preset == "paper-literal";
  o.fit = p.to_fit_options(common);
  o.seed = common.seed;
  std::sort(o.C.begin(), o.C.end());
  o.baselines = chosen_baselines(g.baselines);
  o.shallow = {.model = g.shallow_weights.empty() || g.shallow != "none" ? g.shallow : "",
               .weights = g.shallow_weights,
               .preset = o.fit.diff1.preset,
               .image_size = o.fit.diff1.image_size};
  o.baseline.image_size = g.baseline_size > 0 ? g.baseline_size : o.fit.diff1.image_size;
  o.baseline.training = o.fit.training;
  o.baseline.training.note = {};
  o.baseline.training.frozen.clear();
  o.baseline.training.frozen_until.clear();
  o.baseline.training.cache_dtype.reset();
  o.baseline.augmentation = o.fit.augmentation;
  o.baseline.pairs = g.pairs;
  o.baseline.alexnet_weights = g.alexnet_weights;
  o.baseline.deepsentibank_weights = g.deepsentibank_weights;
  o.baseline.assisted_model = o.fit.diff1.model == "none" ? "resnet14" : o.fit.diff1.model;
  o.baseline.assisted_weights = o.fit.diff1.weights;
  o.baseline.lite_emotion = {.model = g.lite_emotion, .weights = g.lite_emotion_weights};
  o.baseline.lite_object = {.model = g.lite_object, .weights = g.lite_object_weights};
  o.baseline.lite_category = {.model = g.lite_category, .weights = g.lite_category_weights};
  o.note = [&common](const std::string& text) { cli::note(common, text); };
  return o;
}

void print_results(const cli::Common& common, const Study& study, const Options& o,
                   const std::string& command) {
  if (common.json()) {
    cli::print_json(json_of(study, o, command));
    return;
  }
  const SetResult& set = study.sets[0];
  const Measure first = measure(set, "best alpha svm");
  std::printf("%ld test pictures of %zu classes\n\n%-44s %8s %8s\n", first.pictures,
              study.classes.size(), "", "printed", "here");
  const auto line = [&](const std::string& name, double printed, const std::string& method) {
    if (!set.has(method)) return;
    const Measure m = measure(set, method);
    std::printf("%-44s %8s %8.2f  (%.1f to %.1f)\n", name.c_str(),
                printed > 0 ? str_cat(printed).c_str() : "", 100 * m.accuracy, 100 * m.interval.low,
                100 * m.interval.high);
  };
  for (const BaselineRow& b : study.baselines) {
    if (b.not_run.empty())
      line(b.row->method, 100 * b.row->printed, "baseline " + b.row->name);
    else
      std::printf("%-44s %8g not run: %s\n", b.row->method.c_str(), 100 * b.row->printed,
                  b.not_run.c_str());
  }
  line("Diff-CNN1 alone", 0, set.has("diff1") ? "diff1" : "without S, alpha 1 svm");
  line("Diff-CNN2 alone", 0, set.has("diff2") ? "diff2" : "without S, alpha 0 svm");
  line("S alone, SVM", 0, "beta 1 svm");
  line("amplification (beta), dense layer", printed::beta_dense, "best beta dense");
  line("amplification (beta), SVM", printed::beta_svm, "best beta svm");
  line("convex combination (alpha), dense layer", printed::alpha_dense, "best alpha dense");
  line("convex combination (alpha), SVM", printed::alpha_svm, "best alpha svm");
  line("alpha, beta, C, gamma together, SVM", 0, "grid svm");
  std::printf("(chosen by %s)\n\n",
              study.select_by_test ? "the test pictures themselves" : "validation pictures");
  for (const Claim& claim : claims_of(study)) {
    if (!claim.comparison) continue;
    std::printf("%-20s %+6.1f points, p %.3f: %s\n", claim.verdict().c_str(),
                100 * claim.comparison->difference, claim.comparison->test.p, claim.text.c_str());
  }
  std::printf("\npage: %s/reproduce.html\n", o.fit.out.c_str());
}

// The trainings of a study that is begun afresh.
void remove_rounds(const std::string& dir) {
  std::error_code error;
  std::vector<std::filesystem::path> old;
  for (const auto& entry : std::filesystem::directory_iterator(dir, error)) {
    const std::string name = entry.path().filename().string();
    if ((name.starts_with("seed-") && name.find("-fold-") != name.npos) || name == "baselines")
      old.push_back(entry.path());
  }
  for (const auto& path : old) std::filesystem::remove_all(path, error);
}

int run(const cli::Common& common, Given& g) {
  Options o = options_of(common, g);
  require(cli::communicator().size() == 1 || !g.pipeline.training.resume,
          "reproduce --resume goes on in one process; over ranks it begins with --force");
  const cli::OutputFolder folder(o.fit.out, g.pipeline.training.resume, g.pipeline.training.force);
  o.fit.out = folder.path();
  if (g.pipeline.training.force && !g.pipeline.training.resume) remove_rounds(o.fit.out);
  cli::when_interrupted("the same command with --resume goes on");
  const std::string command = cli::command_line();
  const Study study = run_study(o, cli::progress_bar(common));
  cli::end_progress();
  int64_t left_out = 0;
  for (const SetCheck& check : study.checks) {
    for (const std::string& text : check.notes) cli::note(common, check.path + ": " + text);
    for (const auto* list : {&check.unusable, &check.placeholders}) {
      cli::report_skipped(*list);
      left_out += std::ssize(*list);
    }
  }
  if (!o.estimate_only) {
    write_results(study, o, command);
    print_results(common, study, o, command);
  } else if (common.json()) {
    cli::print_json({{"seconds", study.estimate.seconds},
                     {"fi_epoch_seconds", study.estimate.fi_epoch_seconds}});
  }
  return left_out > 0 ? cli::some_skipped : cli::done;
}

void add_sets(const cli::Verb& verb, Given& g) {
  verb.add_option("--fi", g.fi, "the primary set: Image Emotion, a folder an emotion");
  g.pipeline.data.add_to(verb, false);
  verb.add_option("--artphoto", g.artphoto, "ArtPhoto, to evaluate on");
  verb.add_option("--abstract", g.abstract, "abstract paintings, to evaluate on");
  verb.add_option("--emotionroi", g.emotionroi, "EmotionROI, to evaluate on");
  verb.add_option("--own", g.own, "photos of one's own, a folder an emotion, to evaluate on");
}

void add_baselines(const cli::Verb& verb, Given& g) {
  verb.add_option(
          "--baselines", g.baselines,
          "all, none, or of sift,hog,sentibank,deepsentibank,alexnet,binary-assisted,liteemo")
      .delimiter(',');
  verb.add_option("--pairs", g.pairs,
                  "folder of adjective-noun pairs, a sub-folder each, for SentiBank and "
                  "DeepSentiBank");
  verb.add_option("--deepsentibank-weights", g.deepsentibank_weights,
                  "a network that was fine-tuned to such pairs");
  verb.add_option("--alexnet-weights", g.alexnet_weights, "ImageNet's, for the row AlexNet");
  verb.add_option("--positive", g.study.baseline.positive,
                  "which classes are positive emotions, comma-separated, for Binary Assisted")
      .delimiter(',');
  verb.add_option("--lite-emotion", g.lite_emotion, "LiteEmo's emotion stream, fine-tuned");
  verb.add_option("--lite-emotion-weights", g.lite_emotion_weights, "its checkpoint");
  verb.add_option("--lite-object", g.lite_object, "LiteEmo's object stream");
  verb.add_option("--lite-object-weights", g.lite_object_weights, "its checkpoint");
  verb.add_option("--lite-category", g.lite_category, "LiteEmo's stream of image categories");
  verb.add_option("--lite-category-weights", g.lite_category_weights, "its checkpoint");
  verb.add_option("--baseline-image-size", g.baseline_size,
                  "of the baselines' CNNs (0: as the Diff-CNNs')")
      .check(cli::range(0, 4096));
}

}  // namespace

void add_reproduce(const cli::Verb& app, const cli::Common& common, cli::Action& action) {
  auto g = std::make_shared<Given>();
  cli::PipelineOptions& p = g->pipeline;
  p.diff1.model = "resnet101";
  p.diff2.model = "densenet201";
  p.supplement.model = "resnet101";
  const cli::Verb verb = cli::add_verb(
      app, action, "reproduce",
      "The paper's tables and figures on the sets that one has, its claims with intervals, and its "
      "seven baselines. After an interruption the same command with --resume goes on.",
      "limbic reproduce --fi FI --artphoto ArtPhoto --diff1-weights resnet101.pth --diff2-weights "
      "densenet201.pth --supplement-weights resnet101.pth --out study",
      g, run, common);
  add_sets(verb, *g);
  p.add_models_to(verb);
  p.training.epochs = 30;
  p.training.patience = 5;
  verb.add_option("--out", p.out, "folder for trainings, features, journal, page and numbers")
      .required();
  verb.add_option("--alpha", g->study.alpha, "differential factors, comma-separated")
      .delimiter(',')
      .check(cli::range(0.0, 1.0));
  verb.add_option("--beta", g->study.beta, "amplification factors, comma-separated")
      .delimiter(',')
      .check(cli::range(0.0, 1.0));
  verb.add_option("--C", g->study.C, "values of the SVM's C, comma-separated")
      .delimiter(',')
      .check(cli::above_zero());
  verb.add_option("--folds", g->study.folds,
                  "cross-validation on the primary set (0: one split, 85 to 15)")
      .check(cli::range(0, 100));
  verb.add_option("--seeds", g->study.seeds, "repeat all with so many splits and initial weights")
      .check(cli::range(1, 100));
  verb.add_flag("--no-grid", g->study.no_grid,
                "do not also choose alpha, beta, C and gamma together by cross-validation");
  verb.add_option("--shallow", g->shallow, "a shallow CNN to train beside, or none")
      .check(cli::known_model(true));
  verb.add_option("--shallow-weights", g->shallow_weights, "its checkpoint");
  add_baselines(verb, *g);
  verb.add_flag("--estimate", g->study.estimate_only, "say how long it would take here, and stop");
}

}  // namespace limbic::reproduce
