#include "limbic/cli/cells.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "limbic/core/file.h"
#include "limbic/core/json_numbers.h"

namespace limbic::cli {

Cells::Cells(std::string path, std::string key, std::vector<std::string> names)
    : path_(std::move(path)), key_(std::move(key)), names_(std::move(names)) {
  if (!std::filesystem::exists(path_)) return;
  const auto bytes = read_file(path_, int64_t{64} << 20);
  std::istringstream in(std::string(bytes.begin(), bytes.end()));
  for (std::string line; std::getline(in, line);) read_line(line);
  ends_in_line_ = bytes.empty() || bytes.back() == '\n';
}

void Cells::read_line(const std::string& line) {
  const auto object = try_parse_json<Place>(line);
  if (!object.is_object() || !object.contains("cell") || !object.contains("result") ||
      object.value("key", Place()) != key_ || !object["result"].is_object())
    return;
  Result result;
  for (const auto& name : names_) {
    const auto found = object["result"].find(name);
    if (found == object["result"].end() || !found->is_number()) return;
    result[name] = found->get<double>();
  }
  known_[object["cell"].dump()] = std::move(result);
}

void Cells::add(const Place& place, const Result& result) {
  known_[place.dump()] = result;
  if (path_.empty()) return;
  std::ofstream out(path_, std::ios::app);
  if (!ends_in_line_) out << '\n';
  ends_in_line_ = true;
  out << Place{{"key", key_}, {"cell", place}, {"result", result}}.dump() << '\n';
  require(out.flush().good(), path_, ": cannot write");
}

void note_unconverged(const Common& common, int64_t cells) {
  if (cells > 0)
    note(common,
         str_cat("warning: in ", cells,
                 " cells the SVM reached its iteration limit before it converged; scale the "
                 "features or leave out the largest C"));
}

}  // namespace limbic::cli
