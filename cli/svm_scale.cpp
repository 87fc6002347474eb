#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <optional>
#include <sstream>

#include "limbic/cli/svm_data.h"
#include "limbic/cli/verbs.h"
#include "limbic/core/file.h"

namespace limbic::cli {
namespace {

struct Options {
  std::string data, save, restore;
  double lower = -1, upper = 1;
  std::vector<double> target;  // lower, upper; or nothing
};

/// Values from [min, max] go to [lower, upper].
struct Range {
  double min = 0, max = 0, lower = -1, upper = 1;

  bool varies() const { return min < max; }
  double scaled(double value) const {
    return value == min   ? lower
           : value == max ? upper
                          : lower + (upper - lower) * (value - min) / (max - min);
  }
};

/// LIBSVM's range file: where targets are scaled "y", "lower upper", "min max"; then "x",
/// "lower upper", and "index min max" for each feature that varies.
struct Ranges {
  std::optional<Range> target;
  double lower = -1, upper = 1;
  std::vector<Range> features;
  int first_index = 1;  // of features[0]
};

Ranges measure(const svm::SvmData& data, const Options& o) {
  require(o.lower < o.upper, "svm-scale: -l must be below -u, got ", o.lower, " and ", o.upper);
  const int64_t n = data.x.dim(0), d = data.x.dim(1);
  const auto widen = [](Range& range, double value) {
    range.min = std::min(range.min, value);
    range.max = std::max(range.max, value);
  };
  Ranges r{{}, o.lower, o.upper, {}, data.first_index};
  r.features.assign(static_cast<size_t>(d), {INFINITY, -INFINITY, o.lower, o.upper});
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < d; ++j)
      widen(r.features[static_cast<size_t>(j)], data.x.data<double>()[i * d + j]);
  if (o.target.empty()) return r;
  require(o.target[0] < o.target[1], "svm-scale: -y must ascend, got ", o.target[0], " and ",
          o.target[1]);
  r.target = {INFINITY, -INFINITY, o.target[0], o.target[1]};
  for (double target : data.targets) widen(*r.target, target);
  return r;
}

void save_ranges(const Ranges& r, const std::string& path) {
  write_atomically(path, [&](std::ostream& out) {
    out.precision(17);
    if (const auto& y = r.target)
      out << "y\n" << y->lower << ' ' << y->upper << '\n' << y->min << ' ' << y->max << '\n';
    out << "x\n" << r.lower << ' ' << r.upper << '\n';
    for (size_t j = 0; j < r.features.size(); ++j)
      if (r.features[j].varies())
        out << static_cast<int64_t>(j) + r.first_index << ' ' << r.features[j].min << ' '
            << r.features[j].max << '\n';
  });
}

Ranges restore_ranges(const Common& common, const std::string& path, const svm::SvmData& data) {
  const auto bytes = read_file(path, int64_t{256} << 20);
  std::istringstream in(std::string(bytes.begin(), bytes.end()));
  std::string head;
  Ranges r;
  in >> head;
  if (head == "y") {
    Range y;
    require(in >> y.lower >> y.upper >> y.min >> y.max >> head && y.lower < y.upper, path,
            ": damaged in its part 'y'");
    r.target = y;
  }
  require(head == "x" && in >> r.lower >> r.upper && r.lower < r.upper, path,
          ": not a range file of svm-scale -s");
  std::map<int64_t, Range> known;
  for (int64_t index = 0; in >> index;) {
    double low = 0, high = 0;
    require(in >> low >> high && index >= 0 && index <= INT32_MAX && std::isfinite(low) &&
                std::isfinite(high),
            path, ": damaged at feature ", index);
    known[index] = {low, high, r.lower, r.upper};
  }
  require(in.eof(), path, ": expected lines 'index min max'");
  // What the range file knows and the data lack is 0 there, and is scaled as any 0.
  r.first_index = known.contains(0) ? 0 : data.first_index;
  const int64_t last = data.first_index + data.x.dim(1) - 1;
  const int64_t width =
      std::max(last, known.empty() ? 0 : known.rbegin()->first) - r.first_index + 1;
  require(width <= 1 << 26, path, ": ", width, " features are more than are scaled here");
  r.features.assign(static_cast<size_t>(width), {0, 0, r.lower, r.upper});
  for (const auto& [index, range] : known)
    r.features[static_cast<size_t>(index - r.first_index)] = range;
  std::string lacking;
  for (int64_t j = data.first_index; j <= last; ++j)
    if (!known.count(j) && lacking.size() < 60) lacking += str_cat(lacking.empty() ? "" : ", ", j);
  if (!lacking.empty())
    note(common, str_cat(path, ": lacks features of the data, which are left out: ", lacking));
  return r;
}

int run(const Common& common, Options& o) {
  const svm::SvmData data = read_svm_input(o.data, {.real_labels = true, .f64 = true});
  const int64_t n = data.x.dim(0), d = data.x.dim(1);
  const Ranges r = o.restore.empty() ? measure(data, o) : restore_ranges(common, o.restore, data);
  if (r.first_index == 0)
    note(common, "WARNING: minimal feature index is 0, but indices should start from 1");
  const int64_t shift = data.first_index - r.first_index;
  const auto values = data.x.values<double>();
  const int64_t nonzeros = std::ssize(values) - std::count(values.begin(), values.end(), 0.0);
  int64_t written = 0;
  if (!o.save.empty()) save_ranges(r, o.save);
  for (int64_t i = 0; i < n; ++i) {
    const double target = data.targets[static_cast<size_t>(i)];
    std::printf("%.17g", r.target && r.target->varies() ? r.target->scaled(target) : target);
    for (int64_t j = 0; j < std::ssize(r.features); ++j) {
      const Range& range = r.features[static_cast<size_t>(j)];
      if (!range.varies()) continue;  // a feature that never varies says nothing
      const int64_t column = j - shift;
      const bool there = column >= 0 && column < d;
      const double scaled = range.scaled(there ? values[static_cast<size_t>(i * d + column)] : 0);
      written += scaled != 0;
      if (scaled != 0) std::printf(" %ld:%.9g", j + r.first_index, scaled);
    }
    std::printf("\n");
  }
  require(std::fflush(stdout) == 0 && !std::ferror(stdout), "standard output: cannot write");
  if (written > nonzeros)
    note(common, str_cat("WARNING: original #nonzeros ", nonzeros, ", new #nonzeros ", written,
                         "; if feature values are non-negative and sparse, use -l 0 rather than "
                         "the default -l -1"));
  return done;
}

}  // namespace

void add_svm_scale(const Verb& app, const Common& common, Action& action) {
  auto o = std::make_shared<Options>();
  const Verb verb =
      add_verb(app, action, "svm-scale", "Scales features; LIBSVM's flags and files.",
               "limbic svm-scale -l -1 -u 1 -s range train.txt > train.scaled", o, run, common);
  verb.add_option("-l", o->lower, "lower end of the range");
  verb.add_option("-u", o->upper, "upper end of the range");
  verb.add_option("-y", o->target, "scale the targets too: their lower and upper end").expected(2);
  const Option save = verb.add_option("-s", o->save, "file to save the ranges to");
  verb.add_option("-r", o->restore, "file to take the ranges from").excludes(save);
  verb.add_option("data", o->data, "LIBSVM text or .safetensors").required();
}

}  // namespace limbic::cli
