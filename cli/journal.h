#pragma once
#include <map>
#include <nlohmann/json.hpp>
#include <string>

namespace limbic::cli {

/// What a long run has found so far, in a file of JSON lines that are flushed as they come:
/// {"key":"...","step":{...},"result":{...}}. The key stands for data and settings: steps of others
/// stay in the file and are not used, nor is a last line that was cut where a run was killed.
class Journal {
 public:
  using Json = nlohmann::ordered_json;

  /// `step` is what a line calls its step. No path: no file. Throws Error where the file is there
  /// and cannot be read, or has more bytes than `most`.
  explicit Journal(std::string path, std::string step = "step", int64_t most = int64_t{4} << 30);

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

  std::string path_, step_;
  std::map<std::string, Json> known_;
  bool ends_in_line_ = true;
};

}  // namespace limbic::cli
