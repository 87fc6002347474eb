#include "limbic/demo/demo.h"

#include <algorithm>
#include <filesystem>

#include "limbic/core/clock.h"
#include "limbic/core/file.h"
#include "limbic/demo/paintings.h"
#include "limbic/demo/pipeline_figure.h"
#include "limbic/io/png.h"
#include "limbic/report/report.h"
#include "limbic/report/training_charts.h"
#include "limbic/train/checkpoint.h"

namespace limbic::demo {
namespace {

namespace fs = std::filesystem;
constexpr const char* marker = ".limbic-demo";
constexpr double alphas[] = {0, 0.25, 0.5, 0.75, 1};

void shuffle_labels(io::Dataset& data, uint64_t seed) {
  std::vector<int64_t> labels;
  for (const io::Sample& s : data.samples) labels.push_back(s.label);
  Random(seed, hash_name("permuted labels")).shuffle(labels);
  for (size_t i = 0; i < labels.size(); ++i) data.samples[i].label = labels[i];
}

class Demo {
 public:
  Demo(const DemoOptions& options, const ProgressFunction& progress)
      : options_(options), progress_(progress) {}

  DemoResult run() {
    const double start = now();
    claim_folder();
    paint_all();
    train_supplement();
    fit_emotions();
    score();
    result_.seconds = now() - start;
    write_report();
    return result_;
  }

 private:
  // What an earlier demo left is replaced; anything else in the folder is somebody's and stays.
  void claim_folder() const {
    const bool ours = fs::exists(path(marker));
    require(ours || !fs::exists(options_.out) || fs::is_empty(options_.out), options_.out,
            ": is not empty and was not made by a demo; choose another --out");
    fs::create_directories(options_.out);
    write_atomically(path(marker), [](std::ostream& out) { out << "made by limbic demo\n"; });
    for (const char* old : {"pictures", "model", "supplement.safetensors", "report.html"})
      fs::remove_all(path(old));
  }

  std::string path(const std::string& name) const { return options_.out + "/" + name; }

  train::TrainOptions training() const {
    train::TrainOptions o;
    o.epochs = options_.epochs;
    o.batch_size = 32;
    o.learning_rate = 0.05;
    o.sgd = {.momentum = 0.9, .nesterov = true, .weight_decay = 5e-4};
    o.schedule.kind = train::Schedule::Kind::one_cycle;
    o.seed = options_.seed;
    return o;
  }

  static io::Augmentation augmentation() {
    io::Augmentation a;
    a.random_crop = true;
    a.padding = 4;
    a.flip = true;
    return a;
  }

  io::Preset preset() const {
    io::Preset p = io::with_image_size(io::find_preset("cifar"), options_.image_size);
    p.name = "demo";
    return p;
  }

  void paint_all() {
    const auto report = [&](int64_t done) {
      if (progress_) progress_({.task = "painting", .done = done, .total = 3, .unit = "sets"});
    };
    report(0);
    const PaintOptions paint{.size = options_.image_size,
                             .noise = options_.noise,
                             .object_share = options_.object_share};
    const uint64_t seed = combine(options_.seed, hash_name("paintings"));
    paint_dataset(path("pictures/train"),
                  {.per_class = options_.train_per_class, .seed = seed, .paint = paint});
    report(1);
    paint_dataset(path("pictures/test"),
                  {.per_class = options_.test_per_class, .seed = seed + 1, .paint = paint});
    report(2);
    paint_object_dataset(
        path("pictures/objects"),
        {.per_class = options_.objects_per_class, .seed = seed + 2, .paint = paint});
    report(3);
  }

  void train_supplement() {
    train::TrainData data;
    data.train = io::list_folders(path("pictures/objects"));
    data.preset = preset();
    data.augmentation = augmentation();
    const models::Model model =
        models::build_model("resnet8", static_cast<int64_t>(data.train.classes.size()));
    Parameters parameters = model.graph.initialise(combine(options_.seed, 3));
    supplement_training_ = train::train(model, parameters, data, training(), [&](Progress p) {
      p.task = "supplement resnet8: " + p.task;
      if (progress_) progress_(p);
    });
    train::save_weights(path("supplement.safetensors"), parameters,
                        {{"limbic.preset", io::to_json(preset())}});
  }

  void fit_emotions() {
    io::Dataset data = io::list_folders(path("pictures/train"));
    if (options_.permute_labels) shuffle_labels(data, options_.seed);
    emotion::FitOptions f;
    f.out = path("model");
    f.diff1 = {.model = "resnet14", .preset = "cifar", .image_size = options_.image_size};
    f.diff2 = {.model = "densenet_small", .preset = "cifar", .image_size = options_.image_size};
    f.supplement = {.model = "resnet8", .weights = path("supplement.safetensors")};
    f.training = training();
    f.augmentation = augmentation();
    f.classifier.seed = options_.seed;
    f.train_fraction = 0.9;
    f.hold_out_test = false;  // fresh pictures are painted for that
    f.extract_batch = 64;
    fit_ = fit(data, f, progress_);
  }

  io::Dataset test_data() const {
    io::Dataset data = io::list_folders(path("pictures/test"), fit_.model.classes);
    if (options_.permute_labels) shuffle_labels(data, options_.seed + 1);
    return data;
  }

  // Every part alone, then the fusion for each alpha, all on the fresh pictures.
  void score() {
    const auto classes = static_cast<int64_t>(fit_.model.classes.size());
    const auto roles = fit_.model.roles();
    test_ = test_data();
    features_ = emotion::extract_features(fit_.model.branches, test_,
                                          {.batch_size = 64, .task = "looking at fresh pictures"},
                                          progress_);
    result_.test_pictures = static_cast<int64_t>(features_.labels.size());
    for (size_t i = 0; i < roles.size(); ++i) {
      emotion::BranchFeatures own;
      own.blocks = {fit_.train_features.blocks[i]};
      own.labels = fit_.train_features.labels;
      emotion::ClassifierOptions o;
      o.fusion = emotion::Fusion::with_alpha(roles[i] == "diff2" ? 0 : 1);
      o.seed = options_.seed;
      const emotion::FusionClassifier c = emotion::train_classifier({roles[i]}, own, classes, o);
      const network::Evaluation e = network::evaluate_labels(
          emotion::classify(c, {roles[i]}, {features_.blocks[i]}, classes).labels, features_.labels,
          classes);
      parts_.push_back(
          {roles[i] + " " + fit_.model.branches[i].network.model.name + " alone, SVM", e});
      result_.accuracy[roles[i]] = e.accuracy;
      result_.best_single = std::max(result_.best_single, e.accuracy);
    }
    for (double alpha : alphas) {
      emotion::ClassifierOptions o;
      o.fusion = emotion::Fusion::with_alpha(alpha);
      o.seed = options_.seed;
      const emotion::FusionClassifier c =
          emotion::train_classifier(roles, fit_.train_features, classes, o);
      const emotion::Prediction p = emotion::classify(c, roles, features_.blocks, classes);
      const network::Evaluation svm = network::evaluate_labels(p.labels, features_.labels, classes);
      const network::Evaluation dense =
          network::evaluate_labels(p.dense_labels, features_.labels, classes);
      by_alpha_.push_back({alpha, svm, dense});
      if (alpha == *fit_.model.classifier.fusion.alpha) {
        prediction_ = p;
        parts_.push_back({"fusion, dense softmax layer", dense});
        parts_.push_back({"fusion, SVM", svm});
        result_.accuracy["fusion_dense"] = dense.accuracy;
        result_.accuracy["fusion_svm"] = result_.fusion = svm.accuracy;
      }
    }
  }

  void write_report() {
    report::Report r{.title = "Limbic demo: the emotion of a painting",
                     .subtitle = options_.command,
                     .sections = {}};
    r.add(notes());
    report::Report::Headline headline;
    report::Report::BarChart bars{.title = "The parts and the fusion",
                                  .explanation =
                                      "Right answers among fresh pictures; chance is one in "
                                      "eight. The fusion sees all three CNNs at once. The thin "
                                      "line is the 95 % interval.",
                                  .bars = {}};
    for (const auto& [name, e] : parts_) {
      headline.rows.push_back({name, e.accuracy, e.samples});
      bars.bars.push_back({name, e.accuracy, e.samples});
    }
    r.add(std::move(headline));
    r.add(report::pipeline_section(pipeline_figure(fit_.model, emotion::ClassifierOptions().C)));
    r.add(std::move(bars));
    r.add(gallery());
    for (const auto& [name, e] : parts_)
      r.add(report::Report::Confusion{
          name, "Rows are what the picture was painted as, columns what was answered, in per cent.",
          fit_.model.classes, e.confusion});
    r.add(alpha_chart());
    for (auto& chart : training_charts()) r.add(std::move(chart));
    result_.report = path("report.html");
    const std::string html = report::render_html(r);
    write_atomically(result_.report, [&](std::ostream& out) { out << html; });
  }

  report::Report::Paragraphs notes() const {
    report::Report::Paragraphs out;
    out.texts.push_back(str_cat(
        "This run painted ", fit_.train.size(), " pictures of ", fit_.model.classes.size(),
        " emotions to learn from (", fit_.validation_rows.size(),
        " of them kept out of the CNNs' training, to choose their best epoch), ",
        result_.test_pictures,
        " fresh ones to be tested on, and a set of objects for the supplementary CNN; it trained "
        "three small CNNs, fused what they see and fitted an SVM, all on this machine in ",
        static_cast<int64_t>(result_.seconds + 0.5), " seconds."));
    if (options_.permute_labels)
      out.texts.push_back(
          "The labels were shuffled on purpose: every accuracy should be near chance.");
    return out;
  }

  report::Report::LineChart alpha_chart() const {
    report::Report::LineChart chart{.title = "Accuracy over alpha",
                                    .explanation =
                                        "alpha weighs the first CNN's features, 1 - alpha the "
                                        "second's; the supplement is always there.",
                                    .x_label = "alpha",
                                    .y_label = "accuracy",
                                    .series = {{"SVM", {}}, {"dense layer", {}}}};
    for (const auto& [alpha, svm, dense] : by_alpha_) {
      chart.series[0].points.push_back({alpha, svm.accuracy});
      chart.series[1].points.push_back({alpha, dense.accuracy});
    }
    return chart;
  }

  std::vector<report::Report::LineChart> training_charts() const {
    std::map<std::string, std::vector<train::EpochResult>> trainings;
    for (const auto& [role, training] : fit_.trainings) trainings[role] = training.epochs;
    trainings["supplement (objects)"] = supplement_training_.epochs;
    return report::training_charts(trainings);
  }

  // Four pictures of each class, spread over the set.
  report::Report::Gallery gallery() const {
    report::Report::Gallery out;
    const auto classes = static_cast<int64_t>(fit_.model.classes.size());
    const int64_t n = result_.test_pictures, shown = std::min<int64_t>(n, 4 * classes);
    for (int64_t k = 0; k < shown; ++k) {
      const auto row = static_cast<size_t>(k * n / shown);
      const io::Sample& sample = test_.samples[static_cast<size_t>(features_.indices[row])];
      const auto label = prediction_.labels[row];
      out.samples.push_back(
          {read_file(sample.path), fs::path(sample.path).filename().string(),
           fit_.model.classes[static_cast<size_t>(sample.label)],
           fit_.model.classes[static_cast<size_t>(label)],
           prediction_.probabilities.data<double>()[static_cast<int64_t>(row) * classes + label]});
    }
    return out;
  }

  struct AtAlpha {
    double alpha;
    network::Evaluation svm, dense;
  };

  const DemoOptions& options_;
  const ProgressFunction& progress_;
  DemoResult result_;
  train::TrainResult supplement_training_;
  emotion::FitResult fit_;
  io::Dataset test_;
  emotion::BranchFeatures features_;
  std::vector<std::pair<std::string, network::Evaluation>> parts_;
  std::vector<AtAlpha> by_alpha_;
  emotion::Prediction prediction_;
};

}  // namespace

DemoResult run_demo(const DemoOptions& options, const ProgressFunction& progress) {
  return Demo(options, progress).run();
}

}  // namespace limbic::demo
