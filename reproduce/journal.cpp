#include "limbic/reproduce/journal.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "limbic/core/error.h"
#include "limbic/core/file.h"
#include "limbic/core/json_numbers.h"

namespace limbic::reproduce {

Journal::Journal(std::string path) : path_(std::move(path)) {
  if (!std::filesystem::exists(path_)) return;
  const auto bytes = read_file(path_, int64_t{4} << 30);
  std::istringstream in(std::string(bytes.begin(), bytes.end()));
  for (std::string line; std::getline(in, line);) {
    Json object = try_parse_json<Json>(line);
    if (!object.is_object() || !object.contains("key") || !object["key"].is_string() ||
        !object.contains("step") || !object.contains("result"))
      continue;
    known_[place(object["key"].get<std::string>(), object["step"])] = std::move(object["result"]);
  }
  ends_in_line_ = bytes.empty() || bytes.back() == '\n';
}

const Journal::Json* Journal::find(const std::string& key, const Json& step) const {
  const auto found = known_.find(place(key, step));
  return found == known_.end() ? nullptr : &found->second;
}

void Journal::add(const std::string& key, const Json& step, Json result) {
  std::ofstream out(path_, std::ios::app);
  if (!ends_in_line_) out << '\n';
  ends_in_line_ = true;
  out << Json{{"key", key}, {"step", step}, {"result", result}}.dump(-1, ' ', false,
                                                                     Json::error_handler_t::replace)
      << '\n';
  require(out.flush().good(), path_, ": cannot write");
  known_[place(key, step)] = std::move(result);
}

}  // namespace limbic::reproduce
