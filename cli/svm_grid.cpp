#include <cmath>
#include <cstdio>
#include <filesystem>

#include "limbic/cli/cells.h"
#include "limbic/cli/output.h"
#include "limbic/cli/svm_options.h"
#include "limbic/cli/verbs.h"
#include "limbic/core/file.h"
#include "limbic/hash/hash.h"
#include "limbic/report/heat_map.h"
#include "limbic/svm/cross_validation.h"
#include "limbic/svm/sweep.h"

namespace limbic::cli {
namespace {

struct Options {
  std::string data, out, picture, log2c = "-5,15,2", log2g = "3,-15,-2", svmtrain, gnuplot;
  SvmOptions svm;
  int folds = 5;
};

// "begin,end,step": exponents of 2, end included.
std::vector<double> exponents(const std::string& text, const char* flag) {
  double begin = 0, end = 0, step = 0;
  char rest = 0;
  require(std::sscanf(text.c_str(), "%lf,%lf,%lf%c", &begin, &end, &step, &rest) == 3 &&
              std::abs(begin) <= 1000 && std::abs(end) <= 1000 && step != 0 &&
              (end - begin) / step >= 0 && (end - begin) / step < 1000,
          flag, ": expected begin,end,step such as -5,15,2, got '", text, "'");
  std::vector<double> out;
  for (int64_t i = 0; static_cast<double>(i) <= (end - begin) / step + 1e-9; ++i)
    out.push_back(begin + static_cast<double>(i) * step);
  return out;
}

nlohmann::ordered_json place(double C, double gamma) { return {{"C", C}, {"gamma", gamma}}; }

double share_of_equal(const std::vector<int>& a, const std::vector<int>& b) {
  int64_t equal = 0;
  for (size_t i = 0; i < a.size(); ++i) equal += a[i] == b[i];
  return static_cast<double>(equal) / static_cast<double>(a.size());
}

// The cells to be tried. An axis of one value is one that the user did not want a grid of.
struct Grid {
  std::vector<double> C, gamma;
  svm::SvcOptions svc;  // of classification
  svm::SvrOptions svr;  // of regression
};

Grid grid_of(const Common& common, const Options& o, const svm::SvmData& data) {
  Grid grid;
  if (o.svm.regression())
    grid.svr = svr_options(common, o.svm, data);
  else
    grid.svc = svc_options(common, o.svm, data);
  if (o.log2c == "null")
    grid.C = {o.svm.C};
  else
    for (double c : exponents(o.log2c, "-log2c")) grid.C.push_back(std::exp2(c));
  const bool has_gamma = o.svm.kernel == 1 || o.svm.kernel == 2;
  if (o.log2g == "null" || !has_gamma)
    grid.gamma = {has_gamma ? o.svm.regression() ? grid.svr.gamma : grid.svc.gamma : 1.0};
  else
    for (double g : exponents(o.log2g, "-log2g")) grid.gamma.push_back(std::exp2(g));
  return grid;
}

// What a cell's file must agree about for its cells to count.
std::string key_of(const Common& common, const Options& o) {
  std::string key =
      str_cat(sha256_of_file(o.data), " v", o.folds, " seed", common.seed, " e", o.svm.eps);
  for (const auto& weight : o.svm.weights) key += " w" + weight;
  const SvmOptions usual;
  if (o.svm.svm_type != usual.svm_type) key += str_cat(" s", o.svm.svm_type, " p", o.svm.epsilon);
  if (o.svm.kernel != usual.kernel)
    key += str_cat(" t", o.svm.kernel, " d", o.svm.degree, " r", o.svm.coef0);
  if (o.svm.probability) key += " b1";
  return key;
}

// How many cells are done, on a progress line.
class Counter {
 public:
  Counter(const Common& common, int64_t finished, int64_t total)
      : progress_(progress_bar(common)), finished_(finished), total_(total) {
    report();
  }
  void add() {
    ++finished_;
    report();
  }

 private:
  void report() const {
    if (progress_)
      progress_({.task = "svm-grid", .done = finished_, .total = total_, .unit = "cell"});
  }
  ProgressFunction progress_;
  int64_t finished_, total_;
};

// All cells of RBF classification, which share the samples' distances.
void sweep_rbf(const Common& common, const Options& o, const svm::SvmData& data, const Grid& grid,
               Cells& cells, Counter& counter) {
  svm::SweepOptions options{
      .kernels = {},
      .C = grid.C,
      .fold = svm::deal_folds(data.labels, o.folds, common.seed),
      .svc = grid.svc,
      .known = [&](size_t kernel, double C) { return cells.has(place(C, grid.gamma[kernel])); }};
  for (double gamma : grid.gamma) options.kernels.push_back({.weights = {1}, .gamma = gamma});
  svm::sweep({&data.x, 1}, data.labels, options, [&](const svm::SweepCell& cell) {
    cells.add(
        place(cell.C, grid.gamma[cell.kernel]),
        {{"accuracy", share_of_equal(cell.predicted, data.labels)}, {"converged", cell.converged}});
    counter.add();
  });
}

// One cell after the other: regression, other kernels, labels by probability.
void try_each(const Common& common, const Options& o, const svm::SvmData& data, Grid& grid,
              Cells& cells, Counter& counter) {
  for (double gamma : grid.gamma)
    for (double C : grid.C) {
      if (cells.has(place(C, gamma))) continue;
      bool converged = true;
      grid.svr.C = grid.svc.C = C;
      grid.svr.gamma = grid.svc.gamma = gamma;
      if (o.svm.regression()) {
        const auto values =
            svm::cross_validate(data.x, data.targets, grid.svr, o.folds, common.seed, &converged);
        cells.add(
            place(C, gamma),
            {{"mean_squared_error", svm::score_regression(data.targets, values).mean_squared_error},
             {"converged", converged}});
      } else {
        const double accuracy =
            svm::cross_validate(data.x, data.labels, grid.svc, o.folds, &converged);
        cells.add(place(C, gamma), {{"accuracy", accuracy}, {"converged", converged}});
      }
      counter.add();
    }
}

double variance(const std::vector<double>& values) {
  double mean = 0, sum = 0;
  for (double value : values) mean += value / static_cast<double>(values.size());
  for (double value : values) sum += (value - mean) * (value - mean);
  return sum / static_cast<double>(values.size());
}

// As LIBSVM's grid.py prints it: the best of each axis that was searched, then the score.
void print_best(const Common& common, const Options& o, const Grid& grid, double C, double gamma,
                double score) {
  const char* name = o.svm.regression() ? "mean_squared_error" : "accuracy";
  if (common.json()) {
    print_json({{"C", C}, {"gamma", gamma}, {name, score}, {"picture", o.picture}});
  } else {
    if (grid.C.size() > 1) std::printf("%g ", C);
    if (grid.gamma.size() > 1) std::printf("%g ", gamma);
    std::printf("%g\n", o.svm.regression() ? score : 100 * score);
  }
  std::fflush(stdout);
}

void take_names(const Common& common, Options& o) {
  const std::string name = std::filesystem::path(o.data).filename().string();
  if (o.out.empty()) o.out = name + ".grid.jsonl";
  if (o.picture.empty()) o.picture = name + ".grid.svg";
  std::filesystem::path picture(o.picture);
  if (picture.extension() == ".png") {
    o.picture = picture.replace_extension(".svg").string();
    note(common, "the picture is an SVG: " + o.picture);
  }
  if (!o.svmtrain.empty()) note(common, "-svmtrain is not needed: the training is built in");
  if (!o.gnuplot.empty() && o.gnuplot != "null")
    note(common, "-gnuplot is not needed: the picture is drawn here");
}

int run(const Common& common, Options& o) {
  const svm::SvmData data = read_training_data(common, o.data, o.svm);
  take_names(common, o);
  o.folds = folds_for(common, o.folds, data);
  require_writable(o.picture);
  when_interrupted("the same command goes on with the cells in " + o.out);
  Grid grid = grid_of(common, o, data);
  const bool regression = o.svm.regression();
  const std::string score = regression ? "mean_squared_error" : "accuracy";
  Cells cells(o.out == "null" ? "" : o.out, key_of(common, o), {score, "converged"});
  int64_t finished = 0;
  const auto total = static_cast<int64_t>(grid.C.size() * grid.gamma.size());
  for (double C : grid.C)
    for (double gamma : grid.gamma) finished += cells.has(place(C, gamma));
  if (finished > 0) note(common, str_cat(finished, " of ", total, " cells are in ", o.out));
  Counter counter(common, finished, total);
  if (!regression && o.svm.kernel == 2 && o.svm.probability == 0)
    sweep_rbf(common, o, data, grid, cells, counter);
  else
    try_each(common, o, data, grid, cells, counter);
  end_progress();
  report::HeatMap map{.title = str_cat(std::filesystem::path(o.data).filename().string(), ": ",
                                       regression ? "1 - error / variance" : "accuracy", " over ",
                                       o.folds, " folds"),
                      .x_label = "log2 C",
                      .y_label = "log2 gamma",
                      .x = {},
                      .y = {},
                      .values = {}};
  for (double C : grid.C) map.x.push_back(std::log2(C));
  for (double gamma : grid.gamma) map.y.push_back(std::log2(gamma));
  const double spread = regression ? std::max(variance(data.targets), 1e-300) : 1;
  int64_t stopped = 0;
  double best = -INFINITY, best_C = 0, best_gamma = 0;
  for (double gamma : grid.gamma)
    for (double C : grid.C) {
      const auto cell = cells.at(place(C, gamma));
      const double value = regression ? 1 - cell.at(score) / spread : cell.at(score);
      map.values.push_back(value);
      stopped += cell.at("converged") == 0;
      if (value > best) best = value, best_C = C, best_gamma = gamma;
    }
  note_unconverged(common, stopped);
  print_best(common, o, grid, best_C, best_gamma, cells.at(place(best_C, best_gamma)).at(score));
  report::write_heat_map(o.picture, map);
  return done;
}

}  // namespace

void add_svm_grid(const Verb& app, const Common& common, Action& action) {
  auto o = std::make_shared<Options>();
  const Verb verb = add_verb(
      app, action, "svm-grid",
      "Searches C and gamma of an SVM by cross-validation. A run that was interrupted goes on "
      "where it stopped. Prints the best C, gamma and accuracy (-s 3: mean squared error).",
      "limbic svm-grid -log2c -5,15,2 -log2g 3,-15,-2 -v 5 train.txt", o, run, common);
  verb.add_option("--log2c", o->log2c, "begin,end,step of log2 C, or null: -c alone; -log2c too");
  verb.add_option("--log2g", o->log2g,
                  "begin,end,step of log2 gamma, or null: -g alone; -log2g too");
  verb.add_option("-v", o->folds, "folds").check(range(2, 1000000));
  add_svm_options(verb, o->svm);
  verb.add_option("-o,--out", o->out,
                  "file of finished cells (default: DATA.grid.jsonl; null: none)");
  verb.add_option("--picture,--png", o->picture, "heat map to write (default: DATA.grid.svg)");
  verb.add_option("--svmtrain", o->svmtrain, "taken for grid.py's sake");
  verb.add_option("--gnuplot", o->gnuplot, "taken for grid.py's sake");
  verb.add_option("data", o->data, "LIBSVM text or .safetensors").required();
}

}  // namespace limbic::cli
