#include "limbic/cli/journal.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "limbic/core/error.h"
#include "limbic/core/file.h"
#include "limbic/core/json_numbers.h"

namespace limbic::cli {

Journal::Journal(std::string path, std::string step, int64_t most)
    : path_(std::move(path)), step_(std::move(step)) {
  if (!std::filesystem::exists(path_)) return;
  const auto bytes = read_file(path_, most);
  std::istringstream in(std::string(bytes.begin(), bytes.end()));
  for (std::string line; std::getline(in, line);) {
    Json object = try_parse_json<Json>(line);
    if (!object.is_object() || !object.contains("key") || !object["key"].is_string() ||
        !object.contains(step_) || !object.contains("result"))
      continue;
    known_[place(object["key"].get<std::string>(), object[step_])] = std::move(object["result"]);
  }
  ends_in_line_ = bytes.empty() || bytes.back() == '\n';
}

const Journal::Json* Journal::find(const std::string& key, const Json& step) const {
  const auto found = known_.find(place(key, step));
  return found == known_.end() ? nullptr : &found->second;
}

void Journal::add(const std::string& key, const Json& step, Json result) {
  if (!path_.empty()) {
    std::ofstream out(path_, std::ios::app);
    if (!ends_in_line_) out << '\n';
    ends_in_line_ = true;
    out << Json{{"key", key}, {step_, step}, {"result", result}}.dump(
               -1, ' ', false, Json::error_handler_t::replace)
        << '\n';
    require(out.flush().good(), path_, ": cannot write");
  }
  known_[place(key, step)] = std::move(result);
}

}  // namespace limbic::cli
