#include <algorithm>
#include <cstdio>

#include "limbic/cli/data_options.h"
#include "limbic/cli/verbs.h"
#include "limbic/io/check.h"

namespace limbic::cli {
namespace {

struct Options {
  std::string dir;
};

// What the verbs that train would say of this folder.
int verdict(const io::DatasetCheck& check, int64_t usable) {
  if (usable == 0 || !check.empty_classes.empty()) return failed;
  return check.unusable.empty() && check.left_out.empty() ? done : some_skipped;
}

int check_one(const Common& common, const std::string& dir) {
  const auto bar = progress_bar(common);
  const io::DatasetCheck check =
      io::check_dataset(dir, {.progress = [&](int64_t n, int64_t total) {
                          if (bar) bar({.task = "checking", .done = n, .total = total});
                        }});
  end_progress();
  int64_t usable = 0;
  nlohmann::ordered_json counts = nlohmann::ordered_json::object();
  for (size_t c = 0; c < check.classes.size(); ++c) {
    counts[check.classes[c]] = check.usable[c];
    usable += check.usable[c];
  }
  if (common.json()) {
    const auto listed = [](const std::vector<io::SkippedSample>& samples, const char* what) {
      nlohmann::ordered_json out = nlohmann::ordered_json::array();
      for (const auto& s : samples) out.push_back({{"image", s.path}, {what, s.reason}});
      return out;
    };
    print_json({{"data", dir},
                {"usable", usable},
                {"classes", counts},
                {"unusable", listed(check.unusable, "error")},
                {"damaged", listed(check.damaged, "damage")},
                {"duplicates", check.duplicates},
                {"empty_classes", check.empty_classes},
                {"other_files", check.other_files},
                {"left_out", listed(check.left_out, "reason")}});
    return verdict(check, usable);
  }
  for (const auto& [name, n] : counts.items())
    std::printf("%8ld  %s%s\n", n.get<int64_t>(), printable(name).c_str(),
                n == 1 ? "  (one picture, too few to learn from and to measure on)" : "");
  std::printf("%8ld  usable pictures in all\n", usable);
  for (const auto& name : check.empty_classes)
    std::printf("class without a picture: %s\n", printable(name).c_str());
  for (const auto& group : check.duplicates) {
    std::printf("the same picture %zu times:", group.size());
    for (const auto& path : group) std::printf(" %s", printable(path).c_str());
    std::printf("\n");
  }
  for (const auto& s : check.damaged)
    std::printf("damaged, but used: %s\n", printable(s.path + ": " + s.reason).c_str());
  for (const auto& path : check.other_files)
    std::printf("not a picture: %s\n", printable(path).c_str());
  for (const auto& s : check.left_out)
    std::printf("left out: %s\n", printable(s.path + ": " + s.reason).c_str());
  report_skipped(check.unusable);
  return verdict(check, usable);
}

// Whatever the verbs that train take: a folder, a table, a folder of parts.
int run(const Common& common, Options& o) {
  const auto parts = io::parts_within(o.dir);
  if (parts.empty()) {
    const int status = check_one(common, o.dir);
    const io::Dataset data = io::scan_dataset(o.dir).dataset;
    note_contradictions(common, {&data});
    return status;
  }
  int status = done;
  std::vector<io::Dataset> listed;
  for (const auto& [part, path] : parts) {
    if (!common.json()) std::printf("%s (%s)\n", printable(path).c_str(), part.c_str());
    const int own = check_one(common, path);
    status = own == failed || status == failed ? failed : std::max(status, own);
    listed.push_back(io::scan_dataset(path).dataset);
  }
  std::vector<const io::Dataset*> all;
  for (const io::Dataset& data : listed) all.push_back(&data);
  note_contradictions(common, all);
  return status;
}

}  // namespace

void add_check_data(const Verb& app, const Common& common, Action& action) {
  auto o = std::make_shared<Options>();
  const Verb verb = add_verb(app, action, "check-data",
                             "Every picture that cannot be used and why; class counts; duplicates.",
                             "limbic check-data photos", o, run, common);
  verb.add_option("dir", o->dir,
                  "folder with one sub-folder a class, a folder of train/ and val/, or a .csv of "
                  "path,label")
      .required();
}

}  // namespace limbic::cli
