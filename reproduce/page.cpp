#include "limbic/reproduce/page.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "limbic/cli/pages.h"
#include "limbic/core/error.h"
#include "limbic/demo/pipeline_figure.h"
#include "limbic/report/figure.h"
#include "limbic/report/text.h"
#include "limbic/report/training_charts.h"
#include "limbic/reproduce/estimate.h"
#include "limbic/reproduce/paper.h"

namespace limbic::reproduce {
namespace {

using report::Report;

// With all its digits, so that a column of them lines up.
std::string fixed(double value, int digits) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.*f", digits, value);
  return buffer;
}

std::string percent(double share) { return fixed(100 * share, 1); }

// "65.1 (62.0 to 68.3)".
std::string with_interval(const Measure& m) {
  return str_cat(percent(m.accuracy), " (", percent(m.interval.low), " to ",
                 percent(m.interval.high), ")");
}

std::string points(double difference) {
  const std::string text = fixed(100 * difference, 1);
  if (text == "-0.0") return "0.0";
  return difference > 0 && text != "0.0" ? "+" + text : text;
}

std::string p_text(double p) { return p < 0.001 ? "< 0.001" : fixed(p, 3); }

class Writer {
 public:
  Writer(const Study& study, const Options& options, const std::string& command)
      : study_(study), options_(options) {
    page_.title = "The paper's tables and figures on these pictures";
    page_.subtitle = command;
  }

  Report page() {
    introduction();
    summary();
    claims();
    table1();
    table2();
    table3();
    figure1();
    figure2();
    figure3();
    statistics_tables();
    calibration();
    compactness();
    objects();
    worst();
    trainings();
    problems();
    timings();
    return std::move(page_);
  }

 private:
  const SetResult& primary() const { return study_.sets[0]; }

  void introduction() {
    const Round& first = study_.rounds[0];
    std::vector<std::string> texts = {
        str_cat("Rapolu et al., \"Convolutional neural networks for image emotion recognition by "
                "fusing differential and supplementary information\", on ",
                primary().data.size(), " pictures of ", study_.classes.size(), " classes, ",
                study_.rounds.size() == 1
                    ? str_cat(first.train.size(), " to learn from and ", first.test.size(),
                              " to test on")
                    : str_cat(options_.folds > 0 ? str_cat(options_.folds, " folds") : "one split",
                              " x ", options_.seeds, " seeds"),
                ". Every number of ours was computed in this run; every printed one is the "
                "paper's, from its own pictures and split."),
        study_.select_by_test
            ? "Selected by the test pictures themselves (--select test), as the paper did: every "
              "chosen alpha, beta, C and epoch of this page is flattered by that."
            : "Alpha, beta, C and the epoch were chosen by pictures of the training part; the test "
              "pictures were opened only by the final scoring (reads.tsv lists every file that was "
              "read, and when)."};
    if (options_.literal_preset)
      texts.push_back(
          "The Diff-CNNs' pixels were divided by 255 once more before the network's own "
          "preprocessing (--preset paper-literal).");
    texts.push_back(
        "An interval is the bootstrap's, 95 %. Two methods differ where McNemar's exact test on "
        "the same pictures has p of 0.05 at most; otherwise no difference is shown.");
    page_.add(Report::Paragraphs{std::move(texts)});
  }

  Report::Accuracy bar(const std::string& name, const std::string& method) const {
    const Measure m = measure(primary(), method);
    return {name, m.accuracy, m.pictures, Report::Interval{m.interval.low, m.interval.high}};
  }

  void summary() {
    Report::BarChart chart{.title = "The methods side by side",
                           .explanation = "On the test pictures of the primary set.",
                           .bars = {}};
    const auto add = [&](const std::string& name, const std::string& method) {
      if (primary().has(method)) chart.bars.push_back(bar(name, method));
    };
    for (const BaselineRow& b : study_.baselines) add(b.row->method, "baseline " + b.row->name);
    add("Diff-CNN1 alone", primary().has("diff1") ? "diff1" : "without S, alpha 1 svm");
    add("Diff-CNN2 alone", primary().has("diff2") ? "diff2" : "without S, alpha 0 svm");
    add("S alone, SVM", "beta 1 svm");
    add("amplification (beta), SVM", "best beta svm");
    add("convex combination (alpha), SVM", "best alpha svm");
    page_.add(std::move(chart));
  }

  void claims() {
    Report::Table table{
        .title = "The paper's claims",
        .explanation =
            "Differences in points of accuracy, with their intervals over the same "
            "pictures.",
        .columns = {{"claim"}, {"printed", true}, {"here", true}, {"p", true}, {"verdict"}},
        .rows = {}};
    for (const Claim& claim : claims_of(study_)) {
      if (!claim.not_run.empty()) {
        table.rows.push_back({claim.text, claim.printed, "", "", "not run: " + claim.not_run});
      } else if (claim.measure) {
        table.rows.push_back({claim.text, claim.printed, with_interval(*claim.measure), "", ""});
      } else {
        const Comparison& c = *claim.comparison;
        table.rows.push_back({claim.text, claim.printed,
                              str_cat(points(c.difference), " (", points(c.interval.low), " to ",
                                      points(c.interval.high), ")"),
                              p_text(c.test.p), claim.verdict()});
      }
    }
    table.footnotes.push_back(
        "The paper gives 64.14 and 65.06 to Diff-CNN1 and Diff-CNN2 in one place and the other "
        "way about in another.");
    page_.add(std::move(table));
  }

  void table1() {
    Report::Table table{.title = "Table 1: pictures of each emotion",
                        .explanation = "Usable pictures here / the paper's count.",
                        .columns = {{"emotion"}},
                        .rows = {}};
    for (const SetCheck& check : study_.checks)
      table.columns.push_back({heading_of(study_, check.key), true});
    const auto printed_of = [&](const SetCheck& check, const std::string& emotion) -> std::string {
      for (const PaperSet& set : paper_sets()) {
        if (set.key != check.key) continue;
        if (emotion == "total") return std::to_string(set.total);
        const auto& all = io::eight_emotions();
        const auto at = std::find(all.begin(), all.end(), emotion);
        if (at == all.end()) return "";
        const auto& count = set.counts[static_cast<size_t>(at - all.begin())];
        return count ? std::to_string(*count) : "-";
      }
      return "";
    };
    const bool emotions = study_.classes == io::eight_emotions();
    const auto cell = [&](const SetCheck& check, const std::string& emotion, int64_t count) {
      const std::string printed =
          emotions || check.key != "fi" ? printed_of(check, emotion) : std::string();
      return std::to_string(count) + (printed.empty() ? "" : " / " + printed);
    };
    for (size_t c = 0; c < study_.classes.size(); ++c) {
      std::vector<std::string> row = {study_.classes[c]};
      for (const SetCheck& check : study_.checks)
        row.push_back(cell(check, study_.classes[c], check.counts[c]));
      table.rows.push_back(std::move(row));
    }
    std::vector<std::string> row = {"total"};
    for (const SetCheck& check : study_.checks) {
      int64_t total = 0;
      for (int64_t n : check.counts) total += n;
      row.push_back(cell(check, "total", total));
    }
    table.rows.push_back(std::move(row));
    for (const SetCheck& check : study_.checks)
      for (const std::string& note : check.notes)
        table.footnotes.push_back(heading_of(study_, check.key) + ": " + note + ".");
    page_.add(std::move(table));
  }

  void table2() {
    for (const bool svm : {false, true}) {
      Report::Table table{
          .title = svm ? "Table 2 with the SVM in place of the dense layer"
                       : "Table 2: alpha and beta, dense layer",
          .explanation = svm ? "The C of each row was chosen by the validation pictures."
                             : "Accuracy in per cent; the paper's after the stroke.",
          .columns = {{"parameter"}},
          .rows = {}};
      if (svm && study_.select_by_test)
        table.explanation = "The C of each row was chosen by the test pictures.";
      for (const SetResult& set : study_.sets)
        table.columns.push_back({heading_of(study_, set.key), true});
      std::vector<double> best(study_.sets.size(), -1);
      for (const bool alpha : {true, false})
        for (double value : alpha ? options_.alpha : options_.beta) {
          const auto fusion =
              alpha ? emotion::Fusion::with_alpha(value) : emotion::Fusion::with_beta(value);
          const std::string method = method_of(fusion, svm);
          if (!primary().has(method)) continue;
          std::vector<std::string> row = {str_cat(alpha ? "alpha " : "beta ", value)};
          for (size_t s = 0; s < study_.sets.size(); ++s) {
            const SetResult& set = study_.sets[s];
            if (!set.has(method)) {
              row.emplace_back("");
              continue;
            }
            const double accuracy = measure(set, method).accuracy;
            const auto printed = alpha ? table2_alpha(set.key, value) : table2_beta(set.key, value);
            const bool paper = set.key != "fi" || study_.classes == io::eight_emotions();
            row.push_back(
                percent(accuracy) +
                (printed && !svm && paper ? " / " + fixed(*printed, set.key == "fi" ? 2 : 0) : ""));
            if (accuracy > best[s]) {
              best[s] = accuracy;
              std::erase_if(table.emphasis, [&](const auto& p) { return p.column == s + 1; });
              table.emphasis.push_back({table.rows.size(), s + 1});
            }
          }
          table.rows.push_back(std::move(row));
        }
      page_.add(std::move(table));
    }
  }

  void table3() {
    for (const SetResult& set : study_.sets) {
      const bool main = set.key == "fi";
      if (!main && study_.baselines.empty()) continue;
      Report::Table table{.title = main ? "Table 3: against other methods"
                                        : "The same methods on " + heading_of(study_, set.key),
                          .explanation = main ? "All on the same pictures and split."
                                              : "Learnt on the primary set, asked here.",
                          .columns = {{"method"}, {"type"}},
                          .rows = {}};
      if (main) table.columns.push_back({"printed", true});
      table.columns.push_back({"here (95 % interval)", true});
      const auto add = [&](const std::string& type, const std::string& name, double printed,
                           const std::string& method, const std::string& not_run) {
        table.rows.push_back({name, type});
        auto& row = table.rows.back();
        if (main) row.push_back(printed > 0 ? fixed(printed, 2) : "");
        row.push_back(set.has(method) ? with_interval(measure(set, method))
                                      : "not run: " + not_run);
      };
      for (const BaselineRow& b : study_.baselines) {
        add(b.row->type, b.row->method, 100 * b.row->printed, "baseline " + b.row->name,
            b.not_run.empty() ? "no picture could be read" : b.not_run);
        const std::string prefix = "baseline " + b.row->name + ": ";
        for (const auto& [method, rounds] : set.answers)
          if (method.starts_with(prefix))
            add(b.row->type, b.row->method + ": " + method.substr(prefix.size()), 0, method, "");
      }
      for (const auto& [name, printed, method] :
           {std::tuple{"Supplementary-feature amplification, SVM", printed::beta_svm,
                       "best beta svm"},
            std::tuple{"Differential convex-combination, SVM", printed::alpha_svm,
                       "best alpha svm"}}) {
        add("deep", name, printed, method, "");
        table.emphasis.push_back({table.rows.size() - 1, table.columns.size() - 1});
      }
      if (main) add_sources(table);
      page_.add(std::move(table));
    }
  }

  // What the baselines' sources say, our readings, and what was published since.
  void add_sources(Report::Table& table) const {
    for (const BaselineRow& b : study_.baselines) {
      table.footnotes.push_back(b.row->method + ": " + b.row->source + " " + b.row->reading);
      for (const std::string& note : b.notes)
        table.footnotes.push_back(b.row->method + ", here: " + note + ".");
    }
    if (study_.classes != io::eight_emotions()) return;
    std::string later = "Published later on FI, other splits:";
    for (const Published& p : published_later())
      later += str_cat(" ", p.method, " ", fixed(p.accuracy, 1), ",");
    later.back() = '.';
    table.footnotes.push_back(later);
  }

  void figure1() {
    Report::Figure section =
        report::pipeline_section(demo::pipeline_figure(study_.model, study_.choices[0].alpha_C));
    section.title = "Fig. 1: the network as it was built";
    page_.add(std::move(section));
  }

  void figure2() {
    for (const auto& [method, name] :
         {std::pair{"diff1", "Diff-CNN1 alone"}, std::pair{"diff2", "Diff-CNN2 alone"},
          std::pair{"best alpha svm", "convex combination, SVM"},
          std::pair{"best beta svm", "amplification, SVM"}}) {
      if (!primary().has(method) || study_.classes.size() > 40) continue;
      page_.add(Report::Confusion{.title = str_cat("Fig. 2: ", name),
                                  .explanation = "",
                                  .classes = study_.classes,
                                  .counts = measure(primary(), method).confusion});
    }
  }

  Report::Series series_of(const std::string& name, const std::vector<double>& at,
                           const std::function<std::string(double)>& method) const {
    Report::Series out{name, {}};
    for (double x : at) {
      const std::string m = method(x);
      if (!primary().has(m)) continue;
      const Measure found = measure(primary(), m);
      out.points.push_back({x, found.accuracy});
      out.low.push_back(found.interval.low);
      out.high.push_back(found.interval.high);
    }
    return out;
  }

  void figure3() {
    page_.add(Report::LineChart{
        .title = "Fig. 3: accuracy over C",
        .explanation = "The SVM over the best alpha and the best beta, with intervals. The "
                       "figure's values are not in the paper's text: these are ours alone.",
        .x_label = "C",
        .y_label = "accuracy",
        .series = {series_of("convex combination", options_.C,
                             [](double C) { return method_of_C(C, true); }),
                   series_of("amplification", options_.C,
                             [](double C) { return method_of_C(C, false); })}});
    const auto curve = [&](bool alpha) {
      Report::LineChart chart{
          .title = alpha ? "Accuracy over alpha" : "Accuracy over beta",
          .explanation = alpha ? "alpha weighs X1, 1 - alpha X2; S is always there but in the "
                                 "lines without it (equation 1 as it is printed)."
                               : "beta weighs S, 1 - beta the emotional part.",
          .x_label = alpha ? "alpha" : "beta",
          .y_label = "accuracy",
          .series = {}};
      const auto& at = alpha ? options_.alpha : options_.beta;
      for (const bool svm : {false, true}) {
        chart.series.push_back(series_of(svm ? "SVM" : "dense layer", at, [&](double v) {
          return method_of(alpha ? emotion::Fusion::with_alpha(v) : emotion::Fusion::with_beta(v),
                           svm);
        }));
        if (alpha)
          chart.series.push_back(series_of(
              svm ? "SVM without S" : "dense layer without S", at,
              [&](double v) { return method_of(emotion::Fusion::with_both(v, 0), svm); }));
      }
      page_.add(std::move(chart));
    };
    curve(true);
    curve(false);
  }

  void statistics_tables() {
    if (study_.rounds.size() > 1) {
      Report::Table table{
          .title = "Over seeds and folds",
          .explanation = "Mean and standard deviation of the single runs.",
          .columns = {{"method"}, {"mean", true}, {"deviation", true}, {"runs", true}},
          .rows = {}};
      for (const auto& [name, method] : main_methods(study_)) {
        const Measure m = measure(primary(), method);
        table.rows.push_back({name, percent(m.rounds.mean), percent(m.rounds.deviation),
                              std::to_string(m.rounds.n)});
      }
      page_.add(std::move(table));
    }
    Report::Table pairs{
        .title = "Which methods differ",
        .explanation =
            "Our two against all others on the same pictures: the difference of the first to the "
            "second, and McNemar's p. reproduce.json has every pair.",
        .columns = {{"first"}, {"second"}, {"difference", true}, {"p", true}, {"verdict"}},
        .rows = {}};
    for (const Pair& pair : pairs_of(study_)) {
      if (pair.first != "alpha, SVM" && pair.first != "beta, SVM") continue;
      const Comparison& c = pair.comparison;
      pairs.rows.push_back({pair.first, pair.second, points(c.difference), p_text(c.test.p),
                            c.test.differ() ? "they differ" : "no difference shown"});
    }
    page_.add(std::move(pairs));
    const Choice& c = study_.choices[0];
    Report::Table chosen{.title = "What was chosen",
                         .explanation = study_.select_by_test
                                            ? "By the test pictures themselves."
                                            : "By validation pictures, in each run.",
                         .columns = {{"run"},
                                     {"alpha, dense", true},
                                     {"alpha, C of the SVM", true},
                                     {"beta, dense", true},
                                     {"beta, C of the SVM", true}},
                         .rows = {}};
    if (c.grid_alpha) chosen.columns.push_back({"together: alpha, beta, C, gamma", true});
    for (size_t r = 0; r < study_.choices.size(); ++r) {
      const Choice& own = study_.choices[r];
      std::vector<std::string> row = {
          str_cat("seed ", study_.rounds[r].seed,
                  options_.folds > 0 ? str_cat(", fold ", study_.rounds[r].fold) : ""),
          str_cat(own.alpha_dense), str_cat(own.alpha_svm, ", ", own.alpha_C),
          str_cat(own.beta_dense), str_cat(own.beta_svm, ", ", own.beta_C)};
      if (c.grid_alpha)
        row.push_back(own.grid_alpha
                          ? str_cat(*own.grid_alpha, ", ", *own.grid_beta, ", ", *own.grid_C, ", ",
                                    report::number_text(*own.grid_gamma, 5))
                          : "");
      chosen.rows.push_back(std::move(row));
    }
    page_.add(std::move(chosen));
  }

  void calibration() {
    Report::LineChart chart{.title = "Calibration",
                            .explanation =
                                "How often an answer was right over the probability that it was "
                                "given; on the diagonal a probability means what it says. ",
                            .x_label = "probability given",
                            .y_label = "share right",
                            .series = {},
                            .diagonal = true};
    for (const Calibrated& c : study_.calibration) {
      Report::Series series{c.method, {}};
      for (const auto& bin : c.calibration.bins)
        if (bin.samples > 0) series.points.push_back({bin.confidence, bin.accuracy});
      chart.series.push_back(std::move(series));
      chart.explanation += str_cat(c.method, ": expected calibration error ",
                                   report::number_text(c.calibration.ece, 3), ". ");
    }
    if (!chart.series.empty()) page_.add(std::move(chart));
  }

  void compactness() {
    Report::Table table{
        .title = "Compactness",
        .explanation =
            "Traces of the scatter within and between classes of the test pictures' "
            "vectors, standardised by the training pictures; the larger their "
            "ratio, the more compact the classes.",
        .columns = {{"vector"}, {"within", true}, {"between", true}, {"between / within", true}},
        .rows = {}};
    for (const Compactness& c : study_.compactness)
      table.rows.push_back({c.vector, report::number_text(c.scatter.within, 1),
                            report::number_text(c.scatter.between, 2),
                            report::number_text(c.scatter.between / c.scatter.within, 4)});
    if (!table.rows.empty()) page_.add(std::move(table));
  }

  void objects() {
    Report::Table table{.title = "Objects that go with an emotion",
                        .explanation =
                            "Classes of the supplement whose mean probability over an emotion's "
                            "training pictures is most above that over all, in points.",
                        .columns = {{"emotion"}, {"objects"}},
                        .rows = {}};
    for (const EmotionObjects& e : study_.objects) {
      std::string names;
      for (const auto& [name, excess] : e.objects)
        names += str_cat(names.empty() ? "" : ", ", name, " (", points(excess), ")");
      table.rows.push_back({e.emotion, names});
    }
    if (!table.rows.empty()) page_.add(std::move(table));
  }

  void worst() {
    const auto found = primary().answers.find("best alpha svm");
    if (found == primary().answers.end()) return;
    std::vector<int64_t> indices, predicted;
    for (size_t i = 0; i < found->second[0].size(); ++i)
      if (found->second[0][i] >= 0) {
        indices.push_back(static_cast<int64_t>(i));
        predicted.push_back(found->second[0][i]);
      }
    // The probabilities lie in the order of the test part, which is that of the set.
    if (study_.sure.size() != indices.size()) return;
    page_.add(cli::worst_pictures(primary().data, indices, predicted, study_.sure));
  }

  void trainings() {
    for (auto& chart : report::training_charts(study_.trainings)) page_.add(std::move(chart));
  }

  void problems() {
    Report::Table table{.title = "Pictures that were left out or look alike",
                        .explanation = "",
                        .columns = {{"set"}, {"picture"}, {"why"}},
                        .rows = {}};
    constexpr size_t shown = 40;
    size_t more = 0;
    const auto add = [&](const std::string& set, const std::string& path, const std::string& why) {
      if (table.rows.size() < shown)
        table.rows.push_back({set, path, why});
      else
        ++more;
    };
    for (const SetCheck& check : study_.checks)
      for (const auto* list : {&check.unusable, &check.placeholders, &check.left_out})
        for (const auto& s : *list) add(heading_of(study_, check.key), s.path, s.reason);
    for (const NearDuplicate& n : study_.near_duplicates)
      add(heading_of(study_, "fi"), n.test, "a test picture that looks like " + n.train);
    if (more > 0)
      table.footnotes.push_back(str_cat("and ", more, " more; reproduce.json names them all"));
    if (!table.rows.empty()) page_.add(std::move(table));
  }

  void timings() {
    Report::Table table{.title = "Where the time went",
                        .explanation = "",
                        .columns = {{"step"}, {"seconds", true}},
                        .rows = {}};
    constexpr size_t shown = 60;
    double sum = 0;
    for (const Timing& t : study_.timings) {
      sum += t.seconds;
      if (table.rows.size() < shown) table.rows.push_back({t.what, fixed(t.seconds, 1)});
    }
    table.rows.push_back({"all", fixed(sum, 1)});
    table.footnotes.push_back(str_cat("The estimate at the start, without baselines and grid: ",
                                      duration(study_.estimate.seconds), "."));
    for (const std::string& hash : study_.hashes) table.footnotes.push_back("SHA-256 of " + hash);
    page_.add(std::move(table));
  }

  const Study& study_;
  const Options& options_;
  Report page_;
};

}  // namespace

Report page_of(const Study& study, const Options& options, const std::string& command) {
  return Writer(study, options, command).page();
}

}  // namespace limbic::reproduce
