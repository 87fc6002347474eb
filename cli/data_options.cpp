#include "limbic/cli/data_options.h"

#include <filesystem>

#include "limbic/core/error.h"
#include "limbic/io/check.h"

namespace limbic::cli {

void DataOptions::add_to(const Verb& verb) {
  verb.add_option("--data", data, "folder with one sub-folder a class, or a .csv of path,label")
      .required();
  verb.add_option("--layout", layout, "folders or csv (default: as --data is)")
      .check(one_of({"folders", "csv"}));
}

void DataOptions::add_parts_to(const Verb& verb) {
  verb.add_option("--val", validation, "labelled photos that choose the epoch, as --data");
  verb.add_option("--test", test, "labelled photos to measure the accuracy on, as --data");
}

io::Dataset DataOptions::list_part(const Common& common, const std::string& path,
                                   const std::optional<std::vector<std::string>>& classes) const {
  require(layout != "csv" || !std::filesystem::is_directory(path), path,
          ": is a folder, --layout csv expects a file of path,label");
  require(layout != "folders" || !std::filesystem::is_regular_file(path), path,
          ": is a file, --layout folders expects a folder with one sub-folder a class");
  io::Dataset out = io::list_dataset(path, classes);
  note_left_out(common, out);
  return out;
}

io::Dataset DataOptions::list(const Common& common,
                              const std::optional<std::vector<std::string>>& classes) const {
  return list_part(common, data, classes);
}

DataParts DataOptions::open(const Common& common) const {
  std::map<std::string, std::string> paths;
  if (validation.empty() && test.empty()) paths = io::parts_within(data);
  if (paths.empty()) {
    paths["train"] = data;
    if (!validation.empty()) paths["val"] = validation;
    if (!test.empty()) paths["test"] = test;
  } else {
    std::string names;
    for (const auto& [part, path] : paths) names += (names.empty() ? "" : ", ") + path;
    note(common, data + ": a data set in parts: " + names);
  }
  DataParts out{list_part(common, paths["train"], std::nullopt), {}, {}};
  for (const auto& [part, of] : {std::pair{"val", &out.validation}, std::pair{"test", &out.test}}) {
    if (!paths.contains(part)) continue;
    *of = list_part(common, paths[part], out.train.classes);
    out.train.left_out.insert(out.train.left_out.end(), (*of)->left_out.begin(),
                              (*of)->left_out.end());
  }
  const auto counts = out.train.class_counts();
  for (size_t c = 0; c < counts.size(); ++c)
    if (counts[c] == 1)
      note(common, "class '" + out.train.classes[c] +
                       "' has one picture, too few to learn from and to measure on");
  std::vector<const io::Dataset*> parts = {&out.train};
  for (const auto* part : {&out.validation, &out.test})
    if (*part) parts.push_back(&**part);
  note_contradictions(common, parts);
  return out;
}

void note_contradictions(const Common& common, const std::vector<const io::Dataset*>& parts) {
  constexpr size_t shown = 5;
  const auto groups = io::contradictions(parts);
  for (size_t i = 0; i < std::min(shown, groups.size()); ++i) {
    std::string text = "the same picture under two labels or in two parts:";
    for (const std::string& path : groups[i]) text += " " + path;
    note(common, text);
  }
  if (groups.size() > shown) note(common, str_cat("and ", groups.size() - shown, " more"));
}

}  // namespace limbic::cli
