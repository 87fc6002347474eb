#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "limbic/baselines/baselines.h"
#include "limbic/emotion/sweep.h"
#include "limbic/io/layouts.h"
#include "limbic/statistics/statistics.h"

namespace limbic::reproduce {

/// A set of pictures as the user names it.
struct SetSource {
  std::string key;  ///< As PaperSet::key; the primary set's is "fi".
  std::string path;
  io::Layout layout = io::Layout::folders;
};

struct Options {
  std::vector<SetSource> sets;  ///< The primary one first.
  io::LayoutOptions layout;
  emotion::FitOptions
      fit;  ///< The CNNs, their training, the classifier; `out` is the study's folder.
  bool literal_preset = false;  ///< Pixels divided by 255 once more (docs/paper.md).
  std::vector<double> alpha = {0, 0.25, 0.5, 0.75, 1}, beta = {0, 0.25, 0.5, 0.75};
  std::vector<double> C = {0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3, 4, 5};
  int64_t folds = 0;  ///< Of cross-validation on the primary set; 0: one split, 85 to 15.
  int64_t seeds = 1;  ///< The whole is done for so many splits and initial weights.
  uint64_t seed = 0;
  bool no_grid = false;         ///< Do not also choose alpha, beta, C and gamma together.
  emotion::BranchSpec shallow;  ///< A shallow CNN to compare with; its model "none": not run.
  std::vector<std::string> baselines;  ///< Of baselines::rows().
  baselines::Setting baseline;         ///< What of their setting is the same in every round.
  bool estimate_only = false;          ///< Stop after the estimate.
  std::function<void(const std::string&)> note;
};

/// Table 1's row of a set, and what is wrong with its files.
struct SetCheck {
  std::string key, path;
  std::vector<int64_t> counts;  ///< Usable pictures of each of the primary set's classes.
  std::vector<io::SkippedSample> unusable, placeholders, left_out;
  std::vector<std::vector<std::string>> duplicates;  ///< Of equal bytes.
  std::vector<std::string> notes;
};

/// What all methods answered to a set's pictures.
struct SetResult {
  std::string key;
  io::Dataset data;  ///< The usable pictures; classes are the primary set's.
  /// By method: for each round the label of each picture; -1: not asked, or not readable.
  std::map<std::string, std::vector<std::vector<int64_t>>> answers;

  bool has(const std::string& method) const { return answers.contains(method); }
};

/// A training with what it is tested on.
struct Round {
  uint64_t seed = 0;
  int64_t fold = 0;
  io::Dataset train, test;                ///< Of the primary set.
  std::optional<io::Dataset> validation;  ///< The set's own.
  std::vector<int64_t> test_index;        ///< Of each of `test` in the primary set.
};

/// Pictures of the test part that look like one of the training part.
struct NearDuplicate {
  std::string train, test;
};

/// What a round chose by its validation pictures (or the test pictures, --select test).
struct Choice {
  double alpha_dense = 0, beta_dense = 0;
  double alpha_svm = 0, alpha_C = 0, beta_svm = 0, beta_C = 0;
  std::map<std::string, double> C;  ///< Of the SVM over each fusion, by its name.
  std::optional<double> grid_alpha, grid_beta, grid_C, grid_gamma, grid_accuracy;
};

/// How compact classes lie in a vector, on the test pictures of the first round.
struct Compactness {
  std::string vector;
  statistics::Scatter scatter;
};

struct Timing {
  std::string what;
  double seconds = 0;
};

struct Calibrated {
  std::string method;
  statistics::Calibration calibration;
};

/// A class of the supplement that comes with an emotion more than with the others.
struct EmotionObjects {
  std::string emotion;
  std::vector<std::pair<std::string, double>> objects;  ///< Name and excess of mean probability.
};

struct Estimate {
  std::vector<Timing> parts;
  double seconds = 0;
  /// Training and looking at the paper's 21,836 pictures with the same settings, an epoch.
  double fi_epoch_seconds = 0;
};

struct BaselineRow {
  const baselines::Row* row = nullptr;
  std::string not_run;             ///< "needs ..."; empty where it ran.
  std::vector<std::string> notes;  ///< Of the first round.
};

struct Study {
  std::vector<std::string> classes;
  std::vector<SetCheck> checks;
  std::vector<SetResult> sets;  ///< The primary one first.
  std::vector<Round> rounds;
  std::vector<Choice> choices;  ///< Of each round.
  std::vector<NearDuplicate> near_duplicates;
  std::vector<Compactness> compactness;
  std::vector<Calibrated> calibration;
  std::vector<EmotionObjects> objects;
  std::vector<BaselineRow> baselines;
  std::vector<Timing> timings;
  std::map<std::string, std::vector<train::EpochResult>> trainings;  ///< Of the first round.
  Estimate estimate;
  emotion::EmotionModel model;      ///< The first round's best alpha; also in OUT/model.
  std::vector<std::string> hashes;  ///< Of weights and pictures, a sentence each.
  std::vector<double> sure;  ///< Probability of `best alpha svm` for the first round's tests.
  std::vector<io::SkippedSample> skipped;
  std::vector<std::string> notes;
  bool select_by_test = false;
};

/// Names of methods in SetResult::answers.
std::string method_of(const emotion::Fusion& fusion, bool svm);
std::string method_of_C(double C, bool alpha);

/// Runs the protocol: reads and checks the sets, trains the CNNs of each round, chooses by the
/// validation pictures, and only then opens the test pictures. What is finished is found again in
/// options.fit.out. Every picture that is read stands in OUT/reads.tsv with the phase in which it
/// was. Throws Error.
Study run_study(const Options& options, const ProgressFunction& progress);

/// An accuracy over all rounds: pictures asked in several rounds count with their mean.
struct Measure {
  int64_t pictures = 0;
  double accuracy = 0;
  statistics::Interval interval;                ///< Bootstrap over pictures, 95 %.
  statistics::Spread rounds;                    ///< Of the accuracies of single rounds.
  std::vector<std::vector<int64_t>> confusion;  ///< Of all rounds.
};
/// Throws Error for a method that there is not.
Measure measure(const SetResult& set, const std::string& method);
/// Whether two methods differ on the pictures of the first seed's rounds, and by how much.
struct Comparison {
  double difference = 0;
  statistics::Interval interval;
  statistics::McNemar test;
};
Comparison compare(const SetResult& set, const std::string& a, const std::string& b,
                   const std::vector<Round>& rounds);

}  // namespace limbic::reproduce
