#pragma once
#include <map>
#include <nlohmann/json.hpp>
#include <string>

namespace limbic::reproduce {

/// What a long run has found so far, in a file of JSON lines that are flushed as they come:
/// {"key":"...","step":{...},"result":{...}}. The key stands for settings, pictures and weights:
/// steps of others stay in the file and are not used, nor is a last line that was cut.
class Journal {
 public:
  using Json = nlohmann::ordered_json;

  /// Throws Error where the file is there and cannot be read.
  explicit Journal(std::string path);

  /// The result of a step, null where there is none.
  const Json* find(const std::string& key, const Json& step) const;
  /// Throws Error where the file cannot be written.
  void add(const std::string& key, const Json& step, Json result);
  /// The result that is there, else what `compute` gives, which is kept.
  template <class Compute>
  Json once(const std::string& key, const Json& step, Compute&& compute) {
    if (const Json* found = find(key, step)) return *found;
    Json result = compute();
    add(key, step, result);
    return result;
  }

 private:
  static std::string place(const std::string& key, const Json& step) {
    return key + " " + step.dump();
  }

  std::string path_;
  std::map<std::string, Json> known_;
  bool ends_in_line_ = true;
};

}  // namespace limbic::reproduce
