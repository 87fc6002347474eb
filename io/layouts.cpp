#include "limbic/io/layouts.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <set>

#include "limbic/core/error.h"
#include "limbic/core/file.h"
#include "limbic/io/utf8.h"

namespace limbic::io {
namespace fs = std::filesystem;
namespace {

bool is_emotion(const std::string& name) {
  const auto& all = eight_emotions();
  return std::find(all.begin(), all.end(), name) != all.end();
}

// What a folder holds under this name, whatever its case; empty where there is nothing.
std::string entry_of(const std::string& dir, const std::string& name) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(dir, error))
    if (lower_ascii(entry.path().filename().string()) == name) return entry.path().string();
  return "";
}

// The folder of this name within `dir`, or `dir` itself where it has none.
std::string within(const std::string& dir, const std::string& name) {
  const std::string found = entry_of(dir, name);
  return found.empty() ? dir : found;
}

std::vector<std::string> lines_of(const std::string& path) {
  const auto bytes = read_file(path, int64_t{1} << 28);
  std::vector<std::string> out(1);
  for (const uint8_t byte : bytes) {
    if (byte == '\n')
      out.emplace_back();
    else if (byte != '\r')
      out.back() += static_cast<char>(byte);
  }
  return out;
}

// A data set of (path, name of its class), classes alphabetical.
Dataset labelled(std::vector<std::pair<std::string, std::string>> pictures) {
  std::set<std::string> names;
  for (const auto& [path, name] : pictures) names.insert(name);
  Dataset out;
  out.classes.assign(names.begin(), names.end());
  std::sort(pictures.begin(), pictures.end());
  for (auto& [path, name] : pictures)
    out.samples.push_back({std::move(path), std::distance(names.begin(), names.find(name))});
  return out;
}

// Pictures that a list names and that are not there are one Error.
class Absent {
 public:
  explicit Absent(std::string list) : list_(std::move(list)) {}
  void look_for(const std::string& path) {
    std::error_code error;
    if (fs::is_regular_file(path, error)) return;
    if (count_++ == 0) first_ = path;
  }
  void require_none() const {
    require(count_ == 0, list_, ": names ", count_, count_ == 1 ? " picture" : " pictures",
            " that ", count_ == 1 ? "is" : "are", " not there",
            count_ == 1 ? ": " : ", the first: ", first_);
  }

 private:
  std::string list_, first_;
  int64_t count_ = 0;
};

// The classes under the names of Image Emotion; those that get one name become one class.
Dataset unified(const Dataset& data) {
  std::vector<std::pair<std::string, std::string>> pictures;
  for (const Sample& sample : data.samples)
    pictures.emplace_back(sample.path,
                          unified_emotion(data.classes[static_cast<size_t>(sample.label)]));
  Dataset out = labelled(std::move(pictures));
  out.left_out = data.left_out;
  out.other_files = data.other_files;
  return out;
}

PartedSet read_fi(const std::string& dir) {
  std::map<std::string, std::string> parts = parts_within(dir);
  if (parts.empty()) parts["train"] = dir;
  PartedSet out;
  for (const auto& [part, path] : parts) {
    Dataset data = unified(list_folders(path));
    for (const std::string& name : data.classes)
      require(is_emotion(name), path, ": a class '", name,
              "' is none of the eight of --layout fi; read other classes with --layout folders");
    if (part == "train")
      out.train = std::move(data);
    else
      (part == "val" ? out.validation : out.test) = std::move(data);
  }
  for (auto* part : {&out.validation, &out.test})
    if (*part) *part = with_classes(**part, out.train.classes, dir);
  return out;
}

// "sad_0012.jpg" -> "sad".
std::string word_before_number(const std::string& name) {
  const size_t at = name.find('_');
  return at == name.npos ? "" : lower_ascii(name.substr(0, at));
}

PartedSet read_artphoto(const std::string& dir) {
  const std::string folder = within(dir, "testimages_artphoto");
  std::vector<std::pair<std::string, std::string>> pictures;
  std::vector<SkippedSample> left_out;
  for (const std::string& path : pictures_below(folder)) {
    const std::string word = word_before_number(fs::path(path).filename().string());
    if (const std::string emotion = unified_emotion(word); is_emotion(emotion))
      pictures.emplace_back(path, emotion);
    else
      left_out.push_back({path, "its name does not begin with an emotion and '_'"});
  }
  require(!pictures.empty(), folder,
          ": no picture is named EMOTION_NNNN as --layout artphoto expects");
  PartedSet out{.train = labelled(std::move(pictures)), .validation = {}, .test = {}, .notes = {}};
  out.train.left_out = std::move(left_out);
  return out;
}

// 'cell',12,... with or without the quotation marks.
std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> out(1);
  for (const char c : line) {
    if (c == ',')
      out.emplace_back();
    else if (c != '\'' && c != '"' && (c != ' ' || !out.back().empty()))
      out.back() += c;
  }
  return out;
}

double votes_of(const std::string& cell, const std::string& where) {
  double votes = -1;
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), votes);
  require(error == std::errc() && end == cell.data() + cell.size() && votes >= 0 && votes <= 1e9,
          where, ": expected a number of votes, got '", cell.substr(0, 40), "'");
  return votes;
}

PartedSet read_abstract(const std::string& dir, const LayoutOptions& options) {
  const std::string table = entry_of(dir, "abstract_groundtruth.csv");
  require(!table.empty(), dir, ": has no ABSTRACT_groundTruth.csv as --layout abstract expects");
  const std::string folder = within(dir, "testimages_abstract");
  const std::vector<std::string> lines = lines_of(table);
  const std::vector<std::string> heading = cells_of(lines[0]);
  require(heading.size() >= 3, table, ":1: expected a heading '','EMOTION','EMOTION'...");
  std::vector<std::string> emotions;
  for (size_t i = 1; i < heading.size(); ++i) {
    emotions.push_back(unified_emotion(heading[i]));
    require(is_emotion(emotions.back()), table, ":1: '", heading[i], "' is no emotion");
  }
  PartedSet out;
  std::vector<std::pair<std::string, std::string>> pictures;
  std::vector<SkippedSample> left_out;
  std::set<std::string> named;
  Absent absent(table);
  int64_t ties = 0;
  for (size_t i = 1; i < lines.size(); ++i) {
    if (lines[i].empty()) continue;
    const std::string where = str_cat(table, ":", i + 1);
    const std::vector<std::string> cells = cells_of(lines[i]);
    require(cells.size() == heading.size() && !cells[0].empty() &&
                fs::path(cells[0]).filename() == cells[0],
            where, ": expected a file name and ", emotions.size(), " numbers of votes");
    std::vector<double> votes;
    for (size_t c = 1; c < cells.size(); ++c) votes.push_back(votes_of(cells[c], where));
    const auto most = std::max_element(votes.begin(), votes.end());
    const std::string path = folder + "/" + cells[0];
    require(named.insert(path).second, where, ": '", cells[0], "' stands here a second time");
    absent.look_for(path);
    const bool tie = std::count(votes.begin(), votes.end(), *most) > 1;
    ties += tie;
    if (tie && options.drop_ties)
      left_out.push_back({path, "no emotion has most of its votes"});
    else
      pictures.emplace_back(path, emotions[static_cast<size_t>(most - votes.begin())]);
  }
  absent.require_none();
  require(!pictures.empty(), table, ": no picture has most votes for one emotion");
  out.notes.push_back(str_cat(ties, " of ", named.size(), " pictures have a tie of votes: ",
                              options.drop_ties
                                  ? "they are left out"
                                  : "the first emotion that has as many as any counts"));
  for (const std::string& path : pictures_below(folder))
    if (!named.contains(path)) left_out.push_back({path, "the table of votes does not name it"});
  out.train = labelled(std::move(pictures));
  out.train.left_out = std::move(left_out);
  return out;
}

PartedSet read_emotionroi(const std::string& dir, const LayoutOptions& options) {
  const std::string images = entry_of(dir, "images"),
                    splits = entry_of(dir, "training_testing_split");
  require(!images.empty() && !splits.empty(), dir,
          ": has no images/ and training_testing_split/ as --layout emotionroi expects");
  // The name that a class gets; nothing where it is left out.
  const auto name_of = [&](const std::string& folder) -> std::optional<std::string> {
    const std::string name = unified_emotion(folder);
    if (!options.roi_as_paper) return name;
    if (name == "joy") return std::nullopt;
    return name == "surprise" ? "awe" : name;
  };
  PartedSet out;
  int64_t without = 0;
  std::set<std::string> named;
  for (const char* part : {"training", "testing"}) {
    const std::string list = splits + "/" + part + ".txt";
    std::vector<std::pair<std::string, std::string>> pictures;
    Absent absent(list);
    int64_t number = 0;
    for (std::string line : lines_of(list)) {
      ++number;
      while (line.ends_with(' ')) line.pop_back();
      if (line.empty()) continue;
      const size_t slash = line.find('/');
      require(slash != line.npos && slash > 0 && line.find("..") == line.npos, list, ":", number,
              ": expected CLASS/N.jpg, got '", line.substr(0, 60), "'");
      const std::string path = images + "/" + line;
      require(named.insert(path).second, list, ":", number, ": '", line.substr(0, 60),
              "' stands in the split files a second time");
      absent.look_for(path);
      if (const auto name = name_of(line.substr(0, slash)))
        pictures.emplace_back(path, *name);
      else
        ++without;
    }
    absent.require_none();
    require(!pictures.empty(), list, ": names no picture");
    (std::string(part) == "training" ? out.train : out.test.emplace()) =
        labelled(std::move(pictures));
  }
  if (options.roi_as_paper)
    out.notes.push_back(str_cat("surprise is read as awe, and the ", without,
                                " pictures of joy are left out, as the paper's Table 1 counts"));
  for (const std::string& path : pictures_below(images))
    if (!named.contains(path))
      out.train.left_out.push_back({path, "neither of the split files names it"});
  out.test = with_classes(*out.test, out.train.classes, splits);
  return out;
}

bool is_artphoto(const std::string& dir) {
  if (!entry_of(dir, "testimages_artphoto").empty()) return true;
  int64_t all = 0, named = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(dir, error)) {
    if (!entry.is_regular_file(error)) continue;
    ++all;
    named += is_emotion(unified_emotion(word_before_number(entry.path().filename().string())));
  }
  return named >= 8 && named * 10 >= all * 9;
}

}  // namespace

const std::vector<std::string>& layout_names() {
  static const std::vector<std::string> names = {"folders",  "csv",      "fi",
                                                 "artphoto", "abstract", "emotionroi"};
  return names;
}

Layout layout_of(const std::string& name) {
  const auto& names = layout_names();
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) {
    std::string list;
    for (const std::string& known : names) list += (list.empty() ? "" : ", ") + known;
    fail("unknown layout '", name, "'; expected ", list);
  }
  return static_cast<Layout>(found - names.begin());
}

std::string to_string(Layout layout) { return layout_names()[static_cast<size_t>(layout)]; }

const std::vector<std::string>& eight_emotions() {
  static const std::vector<std::string> names = {"amusement", "anger",      "awe",  "contentment",
                                                 "disgust",   "excitement", "fear", "sadness"};
  return names;
}

std::string unified_emotion(const std::string& name) {
  const std::string word = lower_ascii(name);
  if (word == "sad") return "sadness";
  if (word == "content") return "contentment";
  return word;
}

Dataset PartedSet::whole() const {
  Dataset out = train;
  for (const auto* part : {&validation, &test}) {
    if (!*part) continue;
    out.samples.insert(out.samples.end(), (*part)->samples.begin(), (*part)->samples.end());
    out.left_out.insert(out.left_out.end(), (*part)->left_out.begin(), (*part)->left_out.end());
  }
  return out;
}

Layout find_layout(const std::string& path) {
  std::error_code error;
  if (fs::is_regular_file(path, error)) return Layout::csv;
  if (!entry_of(path, "abstract_groundtruth.csv").empty()) return Layout::abstract;
  if (!entry_of(path, "images").empty() && !entry_of(path, "training_testing_split").empty())
    return Layout::emotionroi;
  return is_artphoto(path) ? Layout::artphoto : Layout::folders;
}

PartedSet read_set(const std::string& path, Layout layout, const LayoutOptions& options) {
  std::error_code error;
  require(fs::exists(path, error), path, ": no such folder or file");
  const bool table = fs::is_regular_file(path, error);
  require(layout != Layout::csv || table, path,
          ": is a folder, --layout csv expects a file of path,label");
  require(layout == Layout::csv || !table, path, ": is a file, --layout ", to_string(layout),
          " expects a folder");
  try {
    if (layout == Layout::fi) return read_fi(path);
    if (layout == Layout::artphoto) return read_artphoto(path);
    if (layout == Layout::abstract) return read_abstract(path, options);
    if (layout == Layout::emotionroi) return read_emotionroi(path, options);
    PartedSet out;
    const auto parts = parts_within(path);
    if (parts.empty()) {
      out.train = list_dataset(path);
      return out;
    }
    out.train = list_dataset(parts.at("train"));
    for (const auto& [part, of] : {std::pair{"val", &out.validation}, std::pair{"test", &out.test}})
      if (parts.contains(part)) *of = list_dataset(parts.at(part), out.train.classes);
    return out;
  } catch (const fs::filesystem_error& e) {
    fail(path, ": cannot be listed: ", e.code().message());
  }
}

Dataset with_classes(const Dataset& data, const std::vector<std::string>& classes,
                     const std::string& path) {
  std::vector<int64_t> label_of;
  std::string unknown;
  for (const std::string& name : data.classes) {
    const auto found = std::find(classes.begin(), classes.end(), name);
    if (found == classes.end()) unknown += (unknown.empty() ? "" : ", ") + name;
    label_of.push_back(found - classes.begin());
  }
  std::string expected;
  for (const std::string& name : classes) expected += (expected.empty() ? "" : ", ") + name;
  require(unknown.empty(), path, ": unknown class ", unknown, "; expected ", expected);
  Dataset out = data;
  out.classes = classes;
  for (Sample& sample : out.samples) sample.label = label_of[static_cast<size_t>(sample.label)];
  return out;
}

}  // namespace limbic::io
