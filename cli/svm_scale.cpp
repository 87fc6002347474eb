#include <algorithm>
#include <cmath>
#include <cstdio>

#include "limbic/cli/svm_data.h"
#include "limbic/cli/svm_ranges.h"
#include "limbic/cli/verbs.h"

namespace limbic::cli {
namespace {

struct Options {
  std::string data, save, restore;
  double lower = -1, upper = 1;
  std::vector<double> target;  // lower, upper; or nothing
};

Ranges measure(const svm::SvmData& data, const Options& o) {
  require(o.lower < o.upper, "svm-scale: -l must be below -u, got ", o.lower, " and ", o.upper);
  const int64_t n = data.x.dim(0), d = data.x.dim(1);
  const auto widen = [](Range& range, double value) {
    range.min = std::min(range.min, value);
    range.max = std::max(range.max, value);
  };
  Ranges r{{}, o.lower, o.upper, {}};
  std::vector<Range> all(static_cast<size_t>(d), {INFINITY, -INFINITY, o.lower, o.upper});
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < d; ++j)
      widen(all[static_cast<size_t>(j)], data.x.data<double>()[i * d + j]);
  for (int64_t j = 0; j < d; ++j)
    if (const Range& range = all[static_cast<size_t>(j)]; range.varies())
      r.features[j + data.first_index] = range;
  if (o.target.empty()) return r;
  require(o.target[0] < o.target[1], "svm-scale: -y must ascend, got ", o.target[0], " and ",
          o.target[1]);
  r.target = {INFINITY, -INFINITY, o.target[0], o.target[1]};
  for (double target : data.targets) widen(*r.target, target);
  return r;
}

Ranges restored(const Common& common, const Options& o, const svm::SvmData& data) {
  std::string lacking;
  Ranges r = restore_ranges(o.restore, data, lacking);
  if (!lacking.empty())
    note(common, str_cat(o.restore, ": lacks features of the data, which are left out: ", lacking));
  return r;
}

int run(const Common& common, Options& o) {
  const svm::SvmData data = read_svm_input(o.data, {.real_labels = true, .f64 = true});
  const int64_t n = data.x.dim(0), d = data.x.dim(1);
  const Ranges r = o.restore.empty() ? measure(data, o) : restored(common, o, data);
  if (data.first_index == 0 || r.features.contains(0))
    note(common, "WARNING: minimal feature index is 0, but indices should start from 1");
  const auto values = data.x.values<double>();
  const int64_t nonzeros = std::ssize(values) - std::count(values.begin(), values.end(), 0.0);
  int64_t written = 0;
  if (!o.save.empty()) save_ranges(r, o.save);
  for (int64_t i = 0; i < n; ++i) {
    const double target = data.targets[static_cast<size_t>(i)];
    std::printf("%.17g", r.target && r.target->varies() ? r.target->scaled(target) : target);
    for (const auto& [index, range] : r.features) {
      const int64_t column = index - data.first_index;
      const bool there = column >= 0 && column < d;
      const double scaled = range.scaled(there ? values[static_cast<size_t>(i * d + column)] : 0);
      written += scaled != 0;
      if (scaled != 0) std::printf(" %ld:%.9g", index, scaled);
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
