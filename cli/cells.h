#pragma once
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "limbic/cli/console.h"

namespace limbic::cli {

/// Finished cells of a long search in a file of JSON lines, flushed as they come:
/// {"key":"...","cell":{"C":1.5,...},"result":{"accuracy":0.9,...}}. The key says which data and
/// options a cell belongs to; those of others stay in the file and are not used, nor is a last line
/// that was cut where a run was killed.
class Cells {
 public:
  using Place = nlohmann::ordered_json;
  using Result = std::map<std::string, double>;

  /// Cells count whose result has all of `names`. No path: no file. Throws Error where the file is
  /// there and cannot be read.
  Cells(std::string path, std::string key, std::vector<std::string> names);

  bool has(const Place& place) const { return known_.contains(place.dump()); }
  /// The result there; throws std::out_of_range if there is none.
  const Result& at(const Place& place) const { return known_.at(place.dump()); }
  /// Throws Error where the file cannot be written.
  void add(const Place& place, const Result& result);

 private:
  void read_line(const std::string& line);

  std::string path_, key_;
  std::vector<std::string> names_;
  std::map<std::string, Result> known_;
  bool ends_in_line_ = true;
};

/// Says on standard error that so many cells ended at the SVM's iteration limit; nothing for 0.
void note_unconverged(const Common& common, int64_t cells);

}  // namespace limbic::cli
