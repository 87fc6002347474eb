#include "limbic/emotion/sweep.h"

#include <cstdio>

#include "limbic/cli/cells.h"
#include "limbic/cli/output.h"
#include "limbic/cli/pages.h"
#include "limbic/cli/pipeline_options.h"
#include "limbic/cli/verbs.h"
#include "limbic/report/heat_map.h"

namespace limbic::cli {
namespace {

struct Options {
  PipelineOptions pipeline;
  std::vector<double> alpha, beta;
  std::vector<double> C = {0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3, 4, 5};
  double cache_mb = 8192;
  std::string model_out;
};

using Json = nlohmann::ordered_json;

// {"alpha":0.5,"classifier":"svm","C":1.5}
Json place(const emotion::Fusion& fusion, std::optional<double> C) {
  Json out{{fusion.alpha ? "alpha" : "beta", fusion.alpha ? *fusion.alpha : *fusion.beta},
           {"classifier", C ? "svm" : "dense"}};
  if (C) out["C"] = *C;
  return out;
}

// Table 2's, where the user named none. Fusions that leave nothing of any CNN are left out.
std::vector<emotion::Fusion> fusions_of(const Common& common, const Options& o,
                                        const std::vector<std::string>& roles) {
  std::vector<double> alpha = o.alpha, beta = o.beta;
  if (alpha.empty() && beta.empty()) {
    alpha = {0, 0.25, 0.5, 0.75, 1};
    beta = {0, 0.25, 0.5, 0.75};
  }
  std::vector<emotion::Fusion> all, kept;
  for (double a : alpha) all.push_back(emotion::Fusion::with_alpha(a));
  for (double b : beta) all.push_back(emotion::Fusion::with_beta(b));
  for (const emotion::Fusion& fusion : all) {
    const std::vector<double> weights = emotion::block_weights(fusion, roles);
    if (std::any_of(weights.begin(), weights.end(), [](double w) { return w != 0; }))
      kept.push_back(fusion);
    else
      note(common, place(fusion, std::nullopt).begin().key() + " " +
                       place(fusion, std::nullopt).begin()->dump() +
                       " is left out: no CNN has a weight");
  }
  require(!kept.empty(), "no alpha or beta is left that gives a CNN a weight");
  return kept;
}

std::string key_of(const emotion::FitResult& prepared, const PipelineOptions& o, uint64_t seed) {
  return str_cat(emotion::hash_of_features(prepared), " scale ", o.scale, " gamma ", o.gamma,
                 " seed ", seed, o.kernel == "rbf" ? "" : " kernel " + o.kernel);
}

// What a sweep found best.
struct Best {
  emotion::Fusion fusion;
  double C = 0, score = 0;
  Json line;            // of its cell
  int64_t as_good = 0;  // other cells of the same score
};

class Table {
 public:
  Table(const std::vector<emotion::Fusion>& fusions, const std::vector<double>& Cs,
        const Cells& cells)
      : fusions_(fusions), Cs_(Cs), cells_(cells) {}

  // The best SVM, by the validation pictures where there are any.
  Best best() const {
    const emotion::BestCell found =
        emotion::best_cell(fusions_.size(), Cs_.size(),
                           [&](size_t f, size_t c) { return score(fusions_[f], Cs_[c]); });
    Best out{.fusion = fusions_[found.fusion], .C = Cs_[found.C], .score = found.score};
    out.line = line(out.fusion, out.C);
    for (const emotion::Fusion& fusion : fusions_)
      for (double C : Cs_) out.as_good += score(fusion, C) == out.score;
    --out.as_good;
    return out;
  }

  // Cells, of this run or an earlier one, whose solver reached its iteration limit first.
  int64_t stopped() const {
    int64_t out = 0;
    for (const emotion::Fusion& fusion : fusions_) {
      out += cells_.at(place(fusion, std::nullopt)).at("converged") == 0;
      for (double C : Cs_) out += cells_.at(place(fusion, C)).at("converged") == 0;
    }
    return out;
  }

  Json line(const emotion::Fusion& fusion, std::optional<double> C) const {
    Json out = place(fusion, C);
    const Cells::Result result = cells_.at(out);
    if (result.at("validation_accuracy") >= 0)
      out["validation_accuracy"] = result.at("validation_accuracy");
    out["test_accuracy"] = result.at("test_accuracy");
    return out;
  }

  void print_json_lines() const {
    for (const emotion::Fusion& fusion : fusions_) {
      print_json(line(fusion, std::nullopt));
      for (double C : Cs_) print_json(line(fusion, C));
    }
  }

  void print_text() const {
    for (const bool alpha : {true, false}) {
      if (!any(alpha)) continue;
      std::printf("%-6s%8s", alpha ? "alpha" : "beta", "dense");
      for (double C : Cs_) std::printf("%8s", str_cat("C ", C).c_str());
      std::printf("\n");
      for (const emotion::Fusion& fusion : fusions_) {
        if (fusion.alpha.has_value() != alpha) continue;
        std::printf("%-6g%8.2f", value(fusion), 100 * test(fusion, std::nullopt));
        for (double C : Cs_) std::printf("%8.2f", 100 * test(fusion, C));
        std::printf("\n");
      }
    }
  }

  // A chart of the accuracy over alpha and one over beta, a line for each C.
  std::vector<report::Report::LineChart> charts() const {
    std::vector<report::Report::LineChart> out;
    for (const bool alpha : {true, false}) {
      if (!any(alpha)) continue;
      report::Report::LineChart chart{.title = alpha ? "Accuracy over alpha" : "Accuracy over beta",
                                      .explanation = "On the test pictures, a line for each C.",
                                      .x_label = alpha ? "alpha" : "beta",
                                      .y_label = "accuracy",
                                      .series = {}};
      std::vector<std::optional<double>> lines = {std::nullopt};
      for (double C : Cs_) lines.push_back(C);
      for (const auto& C : lines) {
        report::Report::Series series{C ? str_cat("C ", *C) : "dense layer", {}};
        for (const emotion::Fusion& fusion : fusions_)
          if (fusion.alpha.has_value() == alpha)
            series.points.push_back({value(fusion), test(fusion, C)});
        chart.series.push_back(std::move(series));
      }
      out.push_back(std::move(chart));
    }
    return out;
  }

  // Writes DIR/alpha.svg and DIR/beta.svg; the names of those that there are. One that cannot be
  // written is a note: the numbers are there.
  std::vector<std::string> draw(const Common& common, const std::string& dir) const {
    std::vector<std::string> names;
    for (const bool alpha : {true, false}) {
      if (!any(alpha)) continue;
      report::HeatMap map{.title = "accuracy on test pictures",
                          .x_label = "C",
                          .y_label = alpha ? "alpha" : "beta",
                          .x = Cs_,
                          .y = {},
                          .values = {}};
      for (const emotion::Fusion& fusion : fusions_) {
        if (fusion.alpha.has_value() != alpha) continue;
        map.y.push_back(value(fusion));
        for (double C : Cs_) map.values.push_back(test(fusion, C));
      }
      const std::string path = dir + (alpha ? "/alpha.svg" : "/beta.svg");
      try {
        report::write_heat_map(path, map);
        names.push_back(path);
      } catch (const Error& e) {
        note(common, str_cat("no heat map: ", e.what()));
      }
    }
    return names;
  }

 private:
  double score(const emotion::Fusion& fusion, double C) const {
    const Cells::Result result = cells_.at(place(fusion, C));
    const double validation = result.at("validation_accuracy");
    return validation >= 0 ? validation : result.at("test_accuracy");
  }
  static double value(const emotion::Fusion& fusion) {
    return fusion.alpha ? *fusion.alpha : *fusion.beta;
  }
  bool any(bool alpha) const {
    return std::any_of(fusions_.begin(), fusions_.end(), [&](const emotion::Fusion& fusion) {
      return fusion.alpha.has_value() == alpha;
    });
  }
  double test(const emotion::Fusion& fusion, std::optional<double> C) const {
    return cells_.at(place(fusion, C)).at("test_accuracy");
  }

  const std::vector<emotion::Fusion>& fusions_;
  const std::vector<double>& Cs_;
  const Cells& cells_;
};

void compute(const Common& common, const emotion::FitResult& prepared,
             emotion::FusionSweepOptions& options, Cells& cells) {
  const std::vector<emotion::Fusion>& fusions = options.fusions;
  options.known = [&](size_t fusion, std::optional<double> C) {
    return cells.has(place(fusions[fusion], C));
  };
  const auto total = static_cast<int64_t>(fusions.size() * (options.C.size() + 1));
  int64_t finished = 0;
  for (size_t f = 0; f < fusions.size(); ++f) {
    finished += options.known(f, std::nullopt);
    for (double C : options.C) finished += options.known(f, C);
  }
  if (finished > 0) note(common, str_cat(finished, " of ", total, " cells were there already"));
  const ProgressFunction progress = progress_bar(common);
  const auto report = [&] {
    if (progress) progress({.task = "sweep", .done = finished, .total = total, .unit = "cell"});
  };
  report();
  emotion::sweep_fusions(prepared, options, [&](const emotion::FusionCell& cell) {
    cells.add(place(fusions[cell.fusion], cell.C),
              {{"validation_accuracy", cell.validation_accuracy.value_or(-1)},
               {"test_accuracy", cell.test_accuracy},
               {"converged", cell.converged}});
    ++finished;
    report();
  });
  end_progress();
}

// The model of the best cell: its SVM learns from all photos but the test ones, as fit's does.
void save_best(const Common& common, const std::string& dir, emotion::FitResult& prepared,
               emotion::ClassifierOptions classifier, const Best& best,
               const std::string& selection) {
  classifier.fusion = best.fusion;
  classifier.C = best.C;
  emotion::EmotionModel& model = prepared.model;
  const std::vector<std::string> roles = model.roles();
  const auto classes = std::ssize(model.classes);
  model.classifier = emotion::train_classifier(roles, prepared.train_features, classes, classifier);
  const emotion::BranchFeatures& test = prepared.test_features;
  const network::Evaluation e = network::evaluate_labels(
      emotion::classify(model.classifier, roles, test.blocks, classes).labels, test.labels,
      classes);
  model.remarks = {{"training_pictures", std::to_string(prepared.train_features.labels.size())},
                   {"test_pictures", std::to_string(e.samples)},
                   {"test_accuracy", str_cat(e.accuracy)},
                   {"selection", "alpha, beta and C were " + selection}};
  emotion::save_model(model, dir);
  note(common, str_cat("the model of the best cell, its SVM fitted to ",
                       prepared.train_features.labels.size(), " photos, is in ", dir, ": ",
                       percent(e.accuracy), " on the test pictures"));
}

int run(const Common& common, Options& o) {
  emotion::FitOptions fit_options = o.pipeline.to_fit_options(common);
  fit_options.always_hold_out = true;
  const io::Dataset data = o.pipeline.open_data(common, fit_options);
  const TrainingOptions& t = o.pipeline.training;
  Page page(t.report, "Alpha, beta and C for " + o.pipeline.data.data);
  const OutputFolder folder(o.pipeline.out, t.resume, t.force);
  std::optional<OutputFolder> model_folder;
  if (!o.model_out.empty()) model_folder.emplace(o.model_out, false, t.force);
  when_interrupted("the same command with --resume goes on");
  emotion::FitResult prepared = emotion::prepare_fit(data, fit_options, progress_bar(common));
  end_progress();
  for (const auto& text : prepared.notes) note(common, text);
  std::sort(o.C.begin(), o.C.end());
  emotion::FusionSweepOptions options{
      .fusions = fusions_of(common, o, prepared.model.roles()),
      .C = o.C,
      .classifier = fit_options.classifier,
      .budget_bytes = static_cast<int64_t>(o.cache_mb * 1024 * 1024)};
  Cells cells(o.pipeline.out + "/sweep.jsonl", key_of(prepared, o.pipeline, common.seed),
              {"validation_accuracy", "test_accuracy", "converged"});
  compute(common, prepared, options, cells);
  const Table table(options.fusions, o.C, cells);
  note_unconverged(common, table.stopped());
  const auto pictures = table.draw(common, o.pipeline.out);
  const Best best = table.best();
  const bool by_test = fit_options.select_by_test || prepared.validation_rows.empty();
  const std::string selection = by_test ? "chosen by the test pictures themselves"
                                : fit_options.validation
                                    ? "chosen by the validation pictures"
                                    : "chosen by a slice of the training pictures";
  const double test = best.line.at("test_accuracy");
  const std::string name = str_cat(best.line.begin().key(), " ", best.line.begin()->dump(), ", C ",
                                   best.line.at("C").dump());
  if (common.json()) {
    table.print_json_lines();
    print_json({{"best", best.line},
                {"selection", selection},
                {"as_good", best.as_good},
                {"validation_pictures", prepared.validation_rows.size()},
                {"test_pictures", prepared.test_features.labels.size()},
                {"pictures", pictures}});
  } else {
    std::printf("accuracy on %zu test pictures, %%\n", prepared.test_features.labels.size());
    table.print_text();
    std::printf("best: %s: ", name.c_str());
    if (!by_test)
      std::printf("%s on %zu pictures kept aside, ", percent(best.score).c_str(),
                  prepared.validation_rows.size());
    std::printf("%s on the test pictures (%s; %ld other cells score the same)\n",
                percent(test).c_str(), selection.c_str(), best.as_good);
    for (const auto& path : pictures) std::printf("heat map: %s\n", path.c_str());
  }
  if (page.wanted()) page.set_charts(table.charts());
  page.set_notes({str_cat("Best: ", name, ", ", selection, " (", best.as_good,
                          " other cells score the same). Measured on ",
                          prepared.test_features.labels.size(), " test pictures.")});
  page.add({name, test, std::ssize(prepared.test_features.labels)});
  page.write();
  if (!o.model_out.empty())
    save_best(common, o.model_out, prepared, fit_options.classifier, best, selection);
  return report_skipped(prepared.skipped, data);
}

}  // namespace

void add_sweep(const Verb& app, const Common& common, Action& action) {
  auto o = std::make_shared<Options>();
  const Verb verb = add_verb(
      app, action, "sweep",
      "Scores every alpha, beta and C on test pictures (the paper's Table 2 and Fig. 3), features "
      "being computed once. After an interruption the same command with --resume goes on.",
      "limbic sweep --data photos --diff1 resnet18 --diff1-weights resnet18.pth --diff2 "
      "densenet121 --diff2-weights densenet121.pth --supplement squeezenet1_1 "
      "--supplement-weights squeezenet1_1.pth --epochs 5 --alpha 0,0.5,1 --C 0.5,1.5,5 --out sweep",
      o, run, common);
  o->pipeline.add_to(verb);
  verb.add_option("--out", o->pipeline.out, "folder for trainings, features, cells and heat maps")
      .required();
  verb.add_option("--alpha", o->alpha, "differential factors, comma-separated (default: Table 2's)")
      .delimiter(',')
      .check(range(0.0, 1.0));
  verb.add_option("--beta", o->beta,
                  "amplification factors, comma-separated (default: Table 2's, unless --alpha "
                  "is given)")
      .delimiter(',')
      .check(range(0.0, 1.0));
  verb.add_option("--C", o->C, "values of the SVM's C, comma-separated")
      .delimiter(',')
      .check(above_zero());
  verb.add_option("--model-out", o->model_out,
                  "also leave the model of the best cell in this folder");
  verb.add_option("--cache", o->cache_mb, "megabytes for distances and kernel values")
      .check(above_zero());
}

}  // namespace limbic::cli
