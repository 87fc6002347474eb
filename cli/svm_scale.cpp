#include <cmath>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "cli/svm_data.h"
#include "cli/verbs.h"
#include "nn/core/file.h"

namespace limbic::cli {
namespace {

struct Options {
  std::string data, save, restore;
  double lower = -1, upper = 1;
};

/// LIBSVM's range file: "x", "lower upper", then "index min max" for each feature that varies.
struct Ranges {
  double lower = -1, upper = 1;
  std::vector<double> min, max;
};

Ranges measure(const Tensor& x, const Options& o) {
  require(o.lower < o.upper, "svm-scale: -l must be below -u, got ", o.lower, " and ", o.upper);
  const int64_t n = x.dim(0), d = x.dim(1);
  Ranges r{o.lower, o.upper, std::vector<double>(static_cast<size_t>(d), INFINITY),
           std::vector<double>(static_cast<size_t>(d), -INFINITY)};
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < d; ++j) {
      const auto c = static_cast<size_t>(j);
      const double v = x.data()[i * d + j];
      r.min[c] = std::min(r.min[c], v);
      r.max[c] = std::max(r.max[c], v);
    }
  return r;
}

void save_ranges(const Ranges& r, const std::string& path) {
  write_atomically(path, [&](std::ostream& out) {
    out.precision(17);
    out << "x\n" << r.lower << ' ' << r.upper << '\n';
    for (size_t j = 0; j < r.min.size(); ++j)
      if (r.min[j] < r.max[j]) out << j + 1 << ' ' << r.min[j] << ' ' << r.max[j] << '\n';
  });
}

Ranges restore_ranges(const std::string& path, int64_t features) {
  const auto bytes = read_file(path, int64_t{256} << 20);
  std::istringstream in(std::string(bytes.begin(), bytes.end()));
  std::string head;
  Ranges r;
  require(in >> head && head == "x" && in >> r.lower >> r.upper && r.lower < r.upper, path,
          ": not a range file of svm-scale -s");
  r.min.assign(static_cast<size_t>(features), 0);
  r.max.assign(static_cast<size_t>(features), 0);
  for (int64_t index = 0; in >> index;) {
    double low = 0, high = 0;
    require(in >> low >> high && index >= 1 && std::isfinite(low) && std::isfinite(high), path,
            ": damaged at feature ", index);
    if (index > features) continue;
    r.min[static_cast<size_t>(index - 1)] = low;
    r.max[static_cast<size_t>(index - 1)] = high;
  }
  require(in.eof(), path, ": expected lines 'index min max'");
  return r;
}

int run(const Common&, Options& o) {
  const SvmData data = read_svm_input(o.data);
  const int64_t n = data.x.dim(0), d = data.x.dim(1);
  const Ranges r = o.restore.empty() ? measure(data.x, o) : restore_ranges(o.restore, d);
  if (!o.save.empty()) save_ranges(r, o.save);
  for (int64_t i = 0; i < n; ++i) {
    std::printf("%d", data.labels[static_cast<size_t>(i)]);
    for (int64_t j = 0; j < d; ++j) {
      const double low = r.min[static_cast<size_t>(j)], high = r.max[static_cast<size_t>(j)];
      if (low >= high) continue;  // a feature that never varies says nothing
      const double v = data.x.data()[i * d + j];
      const double scaled = v == low    ? r.lower
                            : v == high ? r.upper
                                        : r.lower + (r.upper - r.lower) * (v - low) / (high - low);
      if (scaled != 0) std::printf(" %ld:%.9g", j + 1, scaled);
    }
    std::printf("\n");
  }
  require(std::fflush(stdout) == 0 && !std::ferror(stdout), "standard output: cannot write");
  return done;
}

}  // namespace

void add_svm_scale(CLI::App& app, const Common& common, Action& action) {
  auto o = std::make_shared<Options>();
  CLI::App* verb =
      add_verb(app, action, "svm-scale", "Scales features; LIBSVM's flags and files.",
               "limbic svm-scale -l -1 -u 1 -s range train.txt > train.scaled", o, run, common);
  verb->add_option("-l", o->lower, "lower end of the range");
  verb->add_option("-u", o->upper, "upper end of the range");
  auto* save = verb->add_option("-s", o->save, "file to save the ranges to");
  verb->add_option("-r", o->restore, "file to take the ranges from")->excludes(save);
  verb->add_option("data", o->data, "LIBSVM text or .safetensors")->required();
}

}  // namespace limbic::cli
