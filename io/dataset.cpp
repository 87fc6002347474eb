#include "limbic/io/dataset.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "limbic/core/error.h"
#include "limbic/core/random.h"

namespace limbic::io {
namespace fs = std::filesystem;
namespace {

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

bool has_picture_ending(const fs::path& path) {
  std::string ending = path.extension().string();
  for (char& c : ending)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  for (const char* known : {".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".gif"})
    if (ending == known) return true;
  return false;
}

// Regular files below `dir` in byte order. Links to folders below a class are not followed: they
// could form a circle.
std::vector<std::string> files_below(const fs::path& dir) {
  std::vector<std::string> files;
  for (auto at = fs::recursive_directory_iterator(dir); at != fs::recursive_directory_iterator();
       ++at) {
    std::error_code ignored;
    if (is_hidden(at->path()))
      at.disable_recursion_pending();
    else if (at->is_regular_file(ignored))
      files.push_back(at->path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
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

FolderScan scan_folders(const std::string& dir) {
  FolderScan out;
  try {
    require(fs::exists(dir), dir, ": no such folder");
    require(fs::is_directory(dir), dir, ": not a folder");
    std::vector<fs::path> folders;
    for (const auto& entry : fs::directory_iterator(dir))
      if (entry.is_directory() && !is_hidden(entry.path())) folders.push_back(entry.path());
    require(!folders.empty(), dir, ": no class folders; expected one sub-folder a class");
    std::sort(folders.begin(), folders.end(), [](const fs::path& a, const fs::path& b) {
      return a.filename().string() < b.filename().string();
    });
    for (const fs::path& folder : folders) {
      const int64_t label = static_cast<int64_t>(out.dataset.classes.size());
      const int64_t before = out.dataset.size();
      out.dataset.classes.push_back(folder.filename().string());
      for (std::string& file : files_below(folder)) {
        if (has_picture_ending(file))
          out.dataset.samples.push_back({std::move(file), label});
        else
          out.other_files.push_back(std::move(file));
      }
      if (out.dataset.size() == before) out.empty_classes.push_back(out.dataset.classes.back());
    }
  } catch (const fs::filesystem_error& error) {
    fail(error.path1().empty() ? dir : error.path1().string(),
         ": cannot be listed: ", error.code().message());
  }
  return out;
}

std::vector<std::string> pictures_below(const std::string& dir) {
  require(fs::is_directory(dir), dir, ": is not a folder");
  try {
    std::vector<std::string> files = files_below(dir);
    std::erase_if(files, [](const std::string& file) { return !has_picture_ending(file); });
    return files;
  } catch (const fs::filesystem_error& error) {
    fail(dir, ": cannot be listed: ", error.code().message());
  }
}

Dataset list_folders(const std::string& dir,
                     const std::optional<std::vector<std::string>>& classes) {
  FolderScan scan = scan_folders(dir);
  require(scan.empty_classes.empty(), dir, ": no pictures (.jpg .png .bmp .gif) in class ",
          join(scan.empty_classes));
  if (!classes) return std::move(scan.dataset);
  std::vector<int64_t> label_of;
  std::vector<std::string> unknown;
  for (const std::string& name : scan.dataset.classes) {
    const auto found = std::find(classes->begin(), classes->end(), name);
    if (found == classes->end()) unknown.push_back(name);
    label_of.push_back(found - classes->begin());
  }
  require(unknown.empty(), dir, ": unknown class ", join(unknown), "; expected ", join(*classes));
  for (Sample& sample : scan.dataset.samples)
    sample.label = label_of[static_cast<size_t>(sample.label)];
  scan.dataset.classes = *classes;
  return std::move(scan.dataset);
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
  Split out{{dataset.classes, {}}, {dataset.classes, {}}};
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
