#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "cli/svm_data.h"
#include "cli/verbs.h"
#include "nn/core/file.h"
#include "svm/cross_validation.h"
#include "svm/heat_map.h"

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

/// Finished cells in a file of JSON lines, one object a cell, flushed as they come. Cells of other
/// data or options stay in the file and are not used.
class Cells {
 public:
  Cells(std::string path, std::string key) : path_(std::move(path)), key_(std::move(key)) {
    if (!std::filesystem::exists(path_)) return;
    const auto bytes = read_file(path_, int64_t{64} << 20);
    std::istringstream in(std::string(bytes.begin(), bytes.end()));
    for (std::string line; std::getline(in, line);) {
      // The last line may be cut where a run was killed.
      const auto cell = nlohmann::json::parse(line, nullptr, false);
      if (!cell.is_object() || cell.value("key", nlohmann::json()) != key_) continue;
      const auto number = [&](const char* name) {
        const auto found = cell.find(name);
        return found != cell.end() && found->is_number() ? found->get<double>() : NAN;
      };
      if (const double accuracy = number("accuracy"); accuracy >= 0 && accuracy <= 1)
        known_[{number("C"), number("gamma")}] = accuracy;
    }
    ends_in_line_ = bytes.empty() || bytes.back() == '\n';
  }

  void add(double C, double gamma, double accuracy) {
    known_[{C, gamma}] = accuracy;
    std::ofstream out(path_, std::ios::app);
    if (!ends_in_line_) out << '\n';
    ends_in_line_ = true;
    const nlohmann::ordered_json cell{
        {"key", key_}, {"C", C}, {"gamma", gamma}, {"accuracy", accuracy}};
    out << cell.dump() << '\n';
    require(out.flush().good(), path_, ": cannot write");
  }

  bool has(double C, double gamma) const { return known_.contains({C, gamma}); }
  double at(double C, double gamma) const { return known_.at({C, gamma}); }

 private:
  std::string path_, key_;
  std::map<std::pair<double, double>, double> known_;
  bool ends_in_line_ = true;
};

SvcOptions svc_options(const Common& common, const Options& o) {
  SvcOptions out{.eps = o.eps,
                 .budget_bytes = static_cast<int64_t>(o.cache_mb * 1024 * 1024),
                 .seed = common.seed};
  out.class_weight = class_weights(o.weights);
  return out;
}

int run(const Common& common, Options& o) {
  const SvmData data = read_svm_input(o.data);
  const std::string name = std::filesystem::path(o.data).filename().string();
  if (o.out.empty()) o.out = name + ".grid.jsonl";
  if (o.picture.empty()) o.picture = name + ".grid.svg";
  const std::vector<double> log2c = exponents(o.log2c, "-log2c"),
                            log2g = exponents(o.log2g, "-log2g");
  std::string key = sha256_of_file(o.data) + " v" + std::to_string(o.folds) + " seed" +
                    std::to_string(common.seed) + " e" + std::to_string(o.eps);
  for (const auto& weight : o.weights) key += " w" + weight;
  Cells cells(o.out, key);
  GridOptions grid{.C = {},
                   .gamma = {},
                   .folds = o.folds,
                   .svc = svc_options(common, o),
                   .known = [&](double C, double gamma) { return cells.has(C, gamma); }};
  for (double c : log2c) grid.C.push_back(std::exp2(c));
  for (double g : log2g) grid.gamma.push_back(std::exp2(g));
  int64_t finished = 0;
  const auto total = static_cast<int64_t>(grid.C.size() * grid.gamma.size());
  for (double C : grid.C)
    for (double gamma : grid.gamma) finished += cells.has(C, gamma);
  if (finished > 0) note(common, str_cat(finished, " of ", total, " cells are in ", o.out));
  const ProgressFunction progress = progress_bar(common);
  const auto report = [&] {
    if (progress) progress({.task = "svm-grid", .done = finished, .total = total, .unit = "cell"});
  };
  report();
  search_grid(data.x, data.labels, grid, [&](double C, double gamma, double accuracy) {
    cells.add(C, gamma, accuracy);
    ++finished;
    report();
  });
  end_progress();
  HeatMap map{.title = name + ": accuracy over " + std::to_string(o.folds) + " folds",
              .x_label = "log2 C",
              .y_label = "log2 gamma",
              .x = log2c,
              .y = log2g,
              .values = {}};
  double best = -1, best_C = 0, best_gamma = 0;
  for (double gamma : grid.gamma)
    for (double C : grid.C) {
      const double accuracy = cells.at(C, gamma);
      map.values.push_back(accuracy);
      if (accuracy > best) best = accuracy, best_C = C, best_gamma = gamma;
    }
  write_heat_map(o.picture, map);
  if (common.json())
    print_json({{"C", best_C}, {"gamma", best_gamma}, {"accuracy", best}, {"picture", o.picture}});
  else
    std::printf("%g %g %g\n", best_C, best_gamma, 100 * best);  // as LIBSVM's grid.py
  return done;
}

}  // namespace

void add_svm_grid(CLI::App& app, const Common& common, Action& action) {
  auto o = std::make_shared<Options>();
  CLI::App* verb = add_verb(
      app, action, "svm-grid",
      "Searches C and gamma of an RBF SVM by cross-validation. A run that was interrupted goes on "
      "where it stopped. Prints the best C, gamma and accuracy.",
      "limbic svm-grid -log2c -5,15,2 -log2g 3,-15,-2 -v 5 train.txt", o, run, common);
  verb->add_option("--log2c", o->log2c, "begin,end,step of log2 C; -log2c too");
  verb->add_option("--log2g", o->log2g, "begin,end,step of log2 gamma; -log2g too");
  verb->add_option("-v", o->folds, "folds")->check(CLI::Range(2, 1000000));
  verb->add_option("-e", o->eps, "tolerance of termination")->check(CLI::PositiveNumber);
  verb->add_option("-m", o->cache_mb, "megabytes for distances and kernel values")
      ->check(CLI::PositiveNumber);
  verb->add_option("--class-weight", o->weights, "LABEL=FACTOR of C; LIBSVM's -wLABEL FACTOR too");
  verb->add_option("-o,--out", o->out, "file of finished cells (default: DATA.grid.jsonl)");
  verb->add_option("--picture", o->picture, "heat map to write (default: DATA.grid.svg)");
  verb->add_option("data", o->data, "LIBSVM text or .safetensors")->required();
}

}  // namespace limbic::cli
