#include "limbic/cli/data_options.h"

#include "limbic/core/error.h"
#include "limbic/io/check.h"

namespace limbic::cli {

void add_layout_options(const Verb& verb, std::string& ties, std::string& roi) {
  verb.add_option("--ties", ties,
                  "abstract paintings with a tie of votes: first (the first emotion that has as "
                  "many as any) or drop")
      .check(one_of({"first", "drop"}));
  verb.add_option("--roi", roi,
                  "EmotionROI's classes: paper (surprise is awe, joy left out) or own")
      .check(one_of({"paper", "own"}));
}

void DataOptions::add_to(const Verb& verb, bool required) {
  const Option option = verb.add_option(
      "--data", data,
      "folder with one sub-folder a class, a .csv of path,label, or a published set of "
      "emotions");
  if (required) option.required();
  add_layout_to(verb);
}

void DataOptions::add_layout_to(const Verb& verb) {
  verb.add_option("--layout", layout,
                  "folders, csv, fi, artphoto, abstract or emotionroi (default: as --data is)")
      .check(one_of(io::layout_names()));
  add_layout_options(verb, ties, roi);
}

void DataOptions::add_parts_to(const Verb& verb) {
  verb.add_option("--val", validation, "labelled photos that choose the epoch, as --data");
  verb.add_option("--test", test, "labelled photos to measure the accuracy on, as --data");
}

io::LayoutOptions DataOptions::layout_options() const {
  return {.drop_ties = ties == "drop", .roi_as_paper = roi == "paper"};
}

io::PartedSet DataOptions::read(const Common& common, const std::string& path) const {
  const io::Layout found = layout.empty() ? io::find_layout(path) : io::layout_of(layout);
  io::PartedSet out = io::read_set(path, found, layout_options());
  if (layout.empty() && found != io::Layout::folders && found != io::Layout::csv)
    note(common, path + ": laid out as " + io::to_string(found));
  for (const std::string& text : out.notes) note(common, path + ": " + text);
  return out;
}

io::Dataset DataOptions::list(const Common& common,
                              const std::optional<std::vector<std::string>>& classes) const {
  io::Dataset out = read(common, data).whole();
  if (classes) out = io::with_classes(out, *classes, data);
  note_left_out(common, out);
  return out;
}

DataParts DataOptions::open(const Common& common) const {
  io::PartedSet set = read(common, data);
  const bool named = !validation.empty() || !test.empty();
  if (named && (set.validation || set.test)) {
    note(common, data + ": its own parts are one, as --val or --test name others");
    set = {.train = set.whole(), .validation = {}, .test = {}, .notes = {}};
  } else if (set.validation || set.test) {
    std::string sizes = str_cat(set.train.size(), " to learn from");
    if (set.validation) sizes += str_cat(", ", set.validation->size(), " to validate on");
    if (set.test) sizes += str_cat(", ", set.test->size(), " to test on");
    note(common, data + ": a data set in parts: " + sizes);
  }
  DataParts out{std::move(set.train), std::move(set.validation), std::move(set.test)};
  note_left_out(common, out.train);
  for (const auto& [path, part] :
       {std::pair{&validation, &out.validation}, std::pair{&test, &out.test}}) {
    if (!path->empty())
      *part = io::with_classes(read(common, *path).whole(), out.train.classes, *path);
    if (!*part) continue;
    note_left_out(common, **part);
    out.train.left_out.insert(out.train.left_out.end(), (*part)->left_out.begin(),
                              (*part)->left_out.end());
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
