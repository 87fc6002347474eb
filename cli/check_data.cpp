#include <algorithm>
#include <cstdio>
#include <set>

#include "limbic/cli/data_options.h"
#include "limbic/cli/verbs.h"
#include "limbic/io/check.h"

namespace limbic::cli {
namespace {

struct Options {
  DataOptions data;
};

// What the verbs that train would say of this folder.
int verdict(const io::DatasetCheck& check, int64_t usable) {
  if (usable == 0 || !check.empty_classes.empty()) return failed;
  return check.unusable.empty() && check.left_out.empty() ? done : some_skipped;
}

io::CheckOptions with_bar(const Common& common) {
  return {.progress = [bar = progress_bar(common)](int64_t n, int64_t total) {
    if (bar) bar({.task = "checking", .done = n, .total = total});
  }};
}

int print_check(const Common& common, const std::string& dir, const io::DatasetCheck& check) {
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
                {"placeholders", listed(check.placeholders, "reason")},
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
  for (const auto& s : check.placeholders)
    std::printf("shows nothing: %s\n", printable(s.path + ": " + s.reason).c_str());
  for (const auto& s : check.damaged)
    std::printf("damaged, but used: %s\n", printable(s.path + ": " + s.reason).c_str());
  for (const auto& path : check.other_files)
    std::printf("not a picture: %s\n", printable(path).c_str());
  for (const auto& s : check.left_out)
    std::printf("left out: %s\n", printable(s.path + ": " + s.reason).c_str());
  report_skipped(check.unusable);
  return verdict(check, usable);
}

// Pictures of all parts that look alike and are not the same bytes, on standard error as
// contradictions are: they decide no status.
void note_look_alikes(const Common& common, const std::vector<io::Dataset>& parts,
                      const std::vector<io::DatasetCheck>& checks) {
  std::vector<std::optional<io::Look>> looks;
  std::vector<std::pair<std::string, size_t>> pictures;  // path and part
  std::set<std::pair<std::string, std::string>> same;
  for (size_t p = 0; p < parts.size(); ++p) {
    looks.insert(looks.end(), checks[p].looks.begin(), checks[p].looks.end());
    for (const io::Sample& sample : parts[p].samples) pictures.emplace_back(sample.path, p);
    for (const auto& group : checks[p].duplicates)
      for (const auto& a : group)
        for (const auto& b : group) same.emplace(a, b);
  }
  int64_t alike = 0, across = 0;
  constexpr int64_t shown = 5;
  for (const auto& [i, j] : io::near_duplicates(looks, looks)) {
    const auto &a = pictures[static_cast<size_t>(i)], &b = pictures[static_cast<size_t>(j)];
    if (i >= j || same.contains({a.first, b.first})) continue;
    across += a.second != b.second;
    if (alike++ < shown) note(common, "look alike: " + a.first + " " + b.first);
  }
  if (alike > shown)
    note(common,
         str_cat(alike, " pairs of pictures look alike, ", across, " of them across two parts"));
}

// Whatever the verbs that train take: a folder, a table, a folder of parts, a published set.
int run(const Common& common, Options& o) {
  const std::string& path = o.data.data;
  std::vector<io::Dataset> parts;
  std::vector<io::DatasetCheck> checks;
  int status = done;
  const auto check_part = [&](const io::Dataset& data, const std::string& name,
                              const std::vector<std::string>& empty_classes) {
    checks.push_back(io::check_dataset(data, with_bar(common)));
    end_progress();
    checks.back().empty_classes = empty_classes;
    const int own = print_check(common, name, checks.back());
    status = own == failed || status == failed ? failed : std::max(status, own);
    parts.push_back(data);
  };
  const io::Layout layout =
      o.data.layout.empty() ? io::find_layout(path) : io::layout_of(o.data.layout);
  if (layout == io::Layout::folders || layout == io::Layout::csv) {
    std::map<std::string, std::string> found = io::parts_within(path);
    const bool whole = found.empty();
    if (whole) found["all"] = path;
    for (const auto& [part, of] : found) {
      if (!whole && !common.json()) std::printf("%s (%s)\n", printable(of).c_str(), part.c_str());
      const io::FolderScan scan = io::scan_dataset(of);
      check_part(scan.dataset, of, scan.empty_classes);
    }
  } else {
    const io::PartedSet set = o.data.read(common, path);
    check_part(set.train, path, {});
    for (const auto* part : {&set.validation, &set.test})
      if (*part) check_part(**part, path, {});
  }
  std::vector<const io::Dataset*> all;
  for (const io::Dataset& data : parts) all.push_back(&data);
  note_contradictions(common, all);
  note_look_alikes(common, parts, checks);
  return status;
}

}  // namespace

void add_check_data(const Verb& app, const Common& common, Action& action) {
  auto o = std::make_shared<Options>();
  const Verb verb = add_verb(app, action, "check-data",
                             "Every picture that cannot be used and why; class counts; duplicates.",
                             "limbic check-data photos", o, run, common);
  verb.add_option("dir", o->data.data,
                  "folder with one sub-folder a class, a folder of train/ and val/, a .csv of "
                  "path,label, or a published set of emotions")
      .required();
  o->data.add_layout_to(verb);
}

}  // namespace limbic::cli
