// A data set as a table.
#include <algorithm>
#include <filesystem>
#include <map>

#include "limbic/core/error.h"
#include "limbic/core/file.h"
#include "limbic/io/dataset.h"
#include "limbic/io/utf8.h"

namespace limbic::io {
namespace fs = std::filesystem;
namespace {

// The cells of a line; "..." may hold commas, and "" in it is a quotation mark.
std::vector<std::string> cells_of(const std::string& line, const std::string& where) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quoted && c == '"' && i + 1 < line.size() && line[i + 1] == '"')
      cells.back() += line[++i];
    else if (c == '"' && (quoted || cells.back().empty()))
      quoted = !quoted;
    else if (c == ',' && !quoted)
      cells.emplace_back();
    else
      cells.back() += c;
  }
  require(!quoted, where, ": a quotation mark is not closed");
  return cells;
}

// Place of a heading's word in it, -1 if there is none.
int64_t column(const std::vector<std::string>& heading, std::initializer_list<const char*> names) {
  for (size_t i = 0; i < heading.size(); ++i) {
    const std::string word = lower_ascii(heading[i]);
    if (std::find(names.begin(), names.end(), word) != names.end()) return static_cast<int64_t>(i);
  }
  return -1;
}

}  // namespace

FolderScan scan_csv(const std::string& path) {
  const auto bytes = read_file(path, int64_t{1} << 30);
  std::string_view rest(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (rest.starts_with("\xef\xbb\xbf")) rest.remove_prefix(3);
  const fs::path beside = fs::path(path).parent_path();
  std::map<std::string, std::vector<std::string>> pictures;  // of each class
  int64_t picture = 0, label = 1;
  for (int64_t number = 1; !rest.empty(); ++number) {
    const size_t end = rest.find('\n');
    std::string line(rest.substr(0, end));
    rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty()) continue;
    const std::string where = str_cat(path, ":", number);
    const std::vector<std::string> cells = cells_of(line, where);
    if (number == 1) {
      const int64_t p = column(cells, {"path", "file", "filename", "image", "image_path"});
      const int64_t l = column(cells, {"label", "class", "emotion", "category"});
      if (p >= 0 && l >= 0) {
        picture = p;
        label = l;
        continue;
      }
    }
    require(std::ssize(cells) > std::max(picture, label), where,
            ": expected a line 'path,label', got '", line.substr(0, 60), "'");
    const std::string &file = cells[static_cast<size_t>(picture)],
                      &name = cells[static_cast<size_t>(label)];
    require(!file.empty() && !name.empty() && is_utf8(name), where,
            ": expected a line 'path,label', a label in UTF-8, got '", line.substr(0, 60), "'");
    pictures[name].push_back(
        (fs::path(file).is_absolute() ? fs::path(file) : beside / file).string());
  }
  require(!pictures.empty(), path, ": no lines 'path,label'");
  FolderScan out;
  for (auto& [name, files] : pictures) {
    out.dataset.classes.push_back(name);
    for (std::string& file : files)
      out.dataset.samples.push_back({std::move(file), std::ssize(out.dataset.classes) - 1});
  }
  return out;
}

}  // namespace limbic::io
