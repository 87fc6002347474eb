#include "limbic/io/dataset.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <numeric>

#include "limbic/core/error.h"
#include "limbic/core/random.h"
#include "limbic/io/formats.h"
#include "limbic/io/layouts.h"
#include "limbic/io/utf8.h"

namespace limbic::io {
namespace fs = std::filesystem;
namespace {

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

bool is_of_a_system(const fs::path& path) {  // macOS's zip, Synology's thumbnails
  return path.filename() == "__MACOSX" || path.filename() == "@eaDir";
}

bool has_picture_ending(const fs::path& path) {
  const std::string ending = lower_ascii(path.extension().string());
  for (const char* known :
       {".jpg", ".jpeg", ".jpe", ".jfif", ".pjpeg", ".mpo", ".png", ".apng", ".webp", ".gif",
        ".bmp", ".dib", ".tif", ".tiff", ".heic", ".heif", ".avif", ".jxl", ".jp2"})
    if (ending == known) return true;
  return false;
}

// One of a kind that is not read is a picture, too: it is skipped with its reason.
bool is_picture(const std::string& file) {
  if (has_picture_ending(file)) return true;
  std::array<char, 64> head{};
  std::ifstream in(file, std::ios::binary);
  in.read(head.data(), head.size());
  const Bytes bytes(reinterpret_cast<const uint8_t*>(head.data()),
                    static_cast<size_t>(in.gcount()));
  return format_of(bytes) || describe_unknown(bytes).find(" picture") != std::string::npos;
}

struct Found {
  std::vector<std::string> pictures, other_files;
  std::vector<SkippedSample> left_out;
};

// What lies below `dir`, in byte order.
Found look_below(const fs::path& dir) {
  std::vector<std::string> files;
  Found out;
  for (auto at = fs::recursive_directory_iterator(dir); at != fs::recursive_directory_iterator();
       ++at) {
    std::error_code error;
    const fs::path& path = at->path();
    if (is_hidden(path)) {
      at.disable_recursion_pending();
    } else if (is_of_a_system(path)) {
      at.disable_recursion_pending();
      out.other_files.push_back(path.string());
    } else if (at->is_symlink(error) && !fs::is_regular_file(path, error)) {
      out.left_out.push_back({path.string(), fs::is_directory(path, error)
                                                 ? "a link to a folder, which is not followed"
                                                 : "a link that leads nowhere"});
    } else if (at->is_regular_file(error)) {
      files.push_back(path.string());
    }
  }
  std::sort(files.begin(), files.end());
  for (std::string& file : files)
    (is_picture(file) ? out.pictures : out.other_files).push_back(std::move(file));
  return out;
}

std::string join(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

}  // namespace

std::vector<int64_t> Dataset::class_counts() const {
  std::vector<int64_t> counts(classes.size());
  for (const Sample& sample : samples) ++counts.at(static_cast<size_t>(sample.label));
  return counts;
}

namespace {

// Sub-folders, without links, by name.
std::vector<std::string> names_within(const fs::path& dir) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(dir)) {
    std::error_code error;
    if (!entry.is_symlink(error) && entry.is_directory(error) && !is_hidden(entry.path()) &&
        !is_of_a_system(entry.path()))
      names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

// Throws Error where the classes are data sets themselves.
void refuse_nested(const fs::path& dir, const std::vector<std::string>& classes) {
  if (const auto parts = parts_within(dir.string()); !parts.empty()) {
    std::string names;
    for (const auto& [part, path] : parts)
      names += (names.empty() ? "" : ", ") + fs::path(path).filename().string();
    fail(dir.string(), ": ", names, " are parts of a data set and no classes; give ",
         parts.begin()->second, " and so on, each by its own option");
  }
  for (const std::string& name : classes) {
    const std::vector<std::string> inner = names_within(dir / name);
    std::vector<std::string> both;
    std::set_intersection(inner.begin(), inner.end(), classes.begin(), classes.end(),
                          std::back_inserter(both));
    if (both.size() > 1)
      fail((dir / name).string(), ": holds folders called as its neighbours (", join(both),
           "): it is another data set and no class; move it out of ", dir.string());
  }
}

}  // namespace

std::map<std::string, std::string> parts_within(const std::string& dir) {
  static const std::map<std::string, std::string> part_of = {
      {"train", "train"},    {"training", "train"}, {"val", "val"},     {"valid", "val"},
      {"validation", "val"}, {"test", "test"},      {"testing", "test"}};
  std::map<std::string, std::string> out;
  std::error_code error;
  if (!fs::is_directory(dir, error)) return out;
  for (const std::string& name : names_within(dir)) {
    const auto part = part_of.find(lower_ascii(name));
    if (part != part_of.end() && !names_within(fs::path(dir) / name).empty())
      out.emplace(part->second, (fs::path(dir) / name).string());
  }
  if (!out.contains("train") || out.size() < 2) return {};
  const auto classes = names_within(out["train"]);
  std::erase_if(out, [&](const auto& part) {
    const auto own = names_within(part.second);
    return !std::includes(classes.begin(), classes.end(), own.begin(), own.end());
  });
  return classes.size() < 2 || out.size() < 2 ? std::map<std::string, std::string>() : out;
}

FolderScan scan_dataset(const std::string& path) {
  std::error_code error;
  return fs::is_regular_file(path, error) ? scan_csv(path) : scan_folders(path);
}

FolderScan scan_folders(const std::string& dir) {
  FolderScan out;
  Dataset& data = out.dataset;
  try {
    require(fs::exists(dir), dir, ": no such folder");
    require(fs::is_directory(dir), dir, ": not a folder");
    std::vector<fs::path> folders;
    for (const auto& entry : fs::directory_iterator(dir)) {
      std::error_code error;
      const fs::path& path = entry.path();
      if (is_hidden(path)) continue;
      if (is_of_a_system(path))
        data.other_files.push_back(path.string());
      else if (fs::is_directory(path, error))
        folders.push_back(path);
      else if (entry.is_symlink(error) && !fs::is_regular_file(path, error))
        data.left_out.push_back({path.string(), "a link that leads nowhere"});
      else if (is_picture(path.string()))
        data.left_out.push_back({path.string(), "beside the class folders, and so of no class"});
    }
    require(!folders.empty(), dir, ": no class folders; expected one sub-folder a class");
    std::sort(folders.begin(), folders.end(), [](const fs::path& a, const fs::path& b) {
      return a.filename().string() < b.filename().string();
    });
    for (const fs::path& folder : folders) {
      const std::string name = folder.filename().string();
      require(is_utf8(name), dir, ": the name of a class folder, '", name,
              "', is not UTF-8; rename it");
      data.classes.push_back(name);
    }
    refuse_nested(dir, data.classes);
    for (size_t label = 0; label < folders.size(); ++label) {
      Found found = look_below(folders[label]);
      if (found.pictures.empty()) out.empty_classes.push_back(data.classes[label]);
      for (std::string& file : found.pictures)
        data.samples.push_back({std::move(file), static_cast<int64_t>(label)});
      std::move(found.other_files.begin(), found.other_files.end(),
                std::back_inserter(data.other_files));
      std::move(found.left_out.begin(), found.left_out.end(), std::back_inserter(data.left_out));
    }
  } catch (const fs::filesystem_error& error) {
    fail(error.path1().empty() ? dir : error.path1().string(),
         ": cannot be listed: ", error.code().message());
  }
  const auto by_path = [](const SkippedSample& a, const SkippedSample& b) {
    return a.path < b.path;
  };
  std::sort(data.left_out.begin(), data.left_out.end(), by_path);
  std::sort(data.other_files.begin(), data.other_files.end());
  return out;
}

std::vector<std::string> pictures_below(const std::string& dir) {
  require(fs::is_directory(dir), dir, ": is not a folder");
  try {
    return look_below(dir).pictures;
  } catch (const fs::filesystem_error& error) {
    fail(dir, ": cannot be listed: ", error.code().message());
  }
}

namespace {

Dataset labelled_by(const std::optional<std::vector<std::string>>& classes, FolderScan scan,
                    const std::string& dir) {
  require(scan.empty_classes.empty(), dir, ": no pictures in class ", join(scan.empty_classes));
  return classes ? with_classes(scan.dataset, *classes, dir) : std::move(scan.dataset);
}

}  // namespace

Dataset list_folders(const std::string& dir,
                     const std::optional<std::vector<std::string>>& classes) {
  return labelled_by(classes, scan_folders(dir), dir);
}

Dataset list_dataset(const std::string& path,
                     const std::optional<std::vector<std::string>>& classes) {
  return labelled_by(classes, scan_dataset(path), path);
}

Split split(const Dataset& dataset, double fraction, uint64_t seed) {
  require(fraction > 0 && fraction <= 1, "split: expected a fraction above 0 and at most 1, got ",
          fraction);
  std::vector<std::vector<int64_t>> members(dataset.classes.size());
  for (int64_t i = 0; i < dataset.size(); ++i)
    members.at(static_cast<size_t>(dataset.samples[static_cast<size_t>(i)].label)).push_back(i);
  std::vector<bool> in_train(dataset.samples.size(), false);
  for (size_t label = 0; label < members.size(); ++label) {
    std::vector<int64_t>& indices = members[label];
    const int64_t n = static_cast<int64_t>(indices.size());
    if (n == 0) continue;
    // Keyed by the class's name, so that another class more or less leaves this one's split alone.
    const std::string& name = dataset.classes[label];
    Random(combine(seed, hash_name("split")), hash_name(name.c_str())).shuffle(indices);
    const int64_t most = n == 1 || fraction == 1 ? n : n - 1;
    const int64_t train =
        std::clamp<int64_t>(std::llround(fraction * static_cast<double>(n)), 1, most);
    for (int64_t i = 0; i < train; ++i)
      in_train[static_cast<size_t>(indices[static_cast<size_t>(i)])] = true;
  }
  Split out;
  out.train.classes = out.held_out.classes = dataset.classes;
  for (size_t i = 0; i < dataset.samples.size(); ++i)
    (in_train[i] ? out.train : out.held_out).samples.push_back(dataset.samples[i]);
  return out;
}

std::vector<int64_t> shuffle_order(int64_t n, uint64_t seed, int64_t epoch) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), int64_t{0});
  Random(combine(seed, hash_name("shuffle")), static_cast<uint64_t>(epoch)).shuffle(order);
  return order;
}

}  // namespace limbic::io
