#include <cmath>
#include <cstdio>
#include <filesystem>

#include "cli/cells.h"
#include "cli/svm_data.h"
#include "cli/verbs.h"
#include "limbic/core/file.h"
#include "limbic/hash/hash.h"
#include "limbic/report/heat_map.h"
#include "limbic/svm/cross_validation.h"
#include "limbic/svm/sweep.h"

namespace limbic::cli {
namespace {

struct Options {
  std::string data, out, picture, log2c = "-5,15,2", log2g = "3,-15,-2";
  int folds = 5;
  double eps = 1e-3, cache_mb = 4096;
  std::vector<std::string> weights;
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

svm::SvcOptions svc_options(const Common& common, const Options& o) {
  svm::SvcOptions out{.eps = o.eps,
                      .budget_bytes = static_cast<int64_t>(o.cache_mb * 1024 * 1024),
                      .seed = common.seed};
  out.class_weight = class_weights(o.weights);
  return out;
}

int run(const Common& common, Options& o) {
  const svm::SvmData data = read_svm_input(o.data);
  const std::string name = std::filesystem::path(o.data).filename().string();
  if (o.out.empty()) o.out = name + ".grid.jsonl";
  if (o.picture.empty()) o.picture = name + ".grid.svg";
  const std::vector<double> log2c = exponents(o.log2c, "-log2c"),
                            log2g = exponents(o.log2g, "-log2g");
  std::vector<double> Cs, gammas;
  for (double c : log2c) Cs.push_back(std::exp2(c));
  for (double g : log2g) gammas.push_back(std::exp2(g));
  std::string key =
      str_cat(sha256_of_file(o.data), " v", o.folds, " seed", common.seed, " e", o.eps);
  for (const auto& weight : o.weights) key += " w" + weight;
  Cells cells(o.out, key, {"accuracy", "converged"});
  svm::SweepOptions options{
      .kernels = {},
      .C = Cs,
      .fold = svm::deal_folds(data.labels, o.folds, common.seed),
      .svc = svc_options(common, o),
      .known = [&](size_t kernel, double C) { return cells.has(place(C, gammas[kernel])); }};
  for (double gamma : gammas) options.kernels.push_back({.weights = {1}, .gamma = gamma});
  int64_t finished = 0;
  const auto total = static_cast<int64_t>(Cs.size() * gammas.size());
  for (double C : Cs)
    for (double gamma : gammas) finished += cells.has(place(C, gamma));
  if (finished > 0) note(common, str_cat(finished, " of ", total, " cells are in ", o.out));
  const ProgressFunction progress = progress_bar(common);
  const auto report = [&] {
    if (progress) progress({.task = "svm-grid", .done = finished, .total = total, .unit = "cell"});
  };
  report();
  svm::sweep({&data.x, 1}, data.labels, options, [&](const svm::SweepCell& cell) {
    cells.add(
        place(cell.C, gammas[cell.kernel]),
        {{"accuracy", share_of_equal(cell.predicted, data.labels)}, {"converged", cell.converged}});
    ++finished;
    report();
  });
  end_progress();
  int64_t stopped = 0;
  for (double C : Cs)
    for (double gamma : gammas) stopped += cells.at(place(C, gamma)).at("converged") == 0;
  note_unconverged(common, stopped);
  report::HeatMap map{.title = name + ": accuracy over " + std::to_string(o.folds) + " folds",
                      .x_label = "log2 C",
                      .y_label = "log2 gamma",
                      .x = log2c,
                      .y = log2g,
                      .values = {}};
  double best = -1, best_C = 0, best_gamma = 0;
  for (double gamma : gammas)
    for (double C : Cs) {
      const double accuracy = cells.at(place(C, gamma)).at("accuracy");
      map.values.push_back(accuracy);
      if (accuracy > best) best = accuracy, best_C = C, best_gamma = gamma;
    }
  if (common.json())
    print_json({{"C", best_C}, {"gamma", best_gamma}, {"accuracy", best}, {"picture", o.picture}});
  else
    std::printf("%g %g %g\n", best_C, best_gamma, 100 * best);  // as LIBSVM's grid.py
  std::fflush(stdout);
  report::write_heat_map(o.picture, map);
  return done;
}

}  // namespace

void add_svm_grid(const Verb& app, const Common& common, Action& action) {
  auto o = std::make_shared<Options>();
  const Verb verb = add_verb(
      app, action, "svm-grid",
      "Searches C and gamma of an RBF SVM by cross-validation. A run that was interrupted goes on "
      "where it stopped. Prints the best C, gamma and accuracy.",
      "limbic svm-grid -log2c -5,15,2 -log2g 3,-15,-2 -v 5 train.txt", o, run, common);
  verb.add_option("--log2c", o->log2c, "begin,end,step of log2 C; -log2c too");
  verb.add_option("--log2g", o->log2g, "begin,end,step of log2 gamma; -log2g too");
  verb.add_option("-v", o->folds, "folds").check(range(2, 1000000));
  verb.add_option("-e", o->eps, "tolerance of termination").check(above_zero());
  verb.add_option("-m", o->cache_mb, "megabytes for distances and kernel values")
      .check(megabytes());
  verb.add_option("--class-weight", o->weights, "LABEL=FACTOR of C; LIBSVM's -wLABEL FACTOR too")
      .one_value_each();
  verb.add_option("-o,--out", o->out, "file of finished cells (default: DATA.grid.jsonl)");
  verb.add_option("--picture", o->picture, "heat map to write (default: DATA.grid.svg)");
  verb.add_option("data", o->data, "LIBSVM text or .safetensors").required();
}

}  // namespace limbic::cli
