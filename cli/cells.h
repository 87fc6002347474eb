#pragma once
#include <map>
#include <string>
#include <vector>

#include "limbic/cli/console.h"
#include "limbic/cli/journal.h"

namespace limbic::cli {

/// Finished cells of a long search, in a journal:
/// {"key":"...","cell":{"C":1.5,...},"result":{"accuracy":0.9,...}}.
class Cells {
 public:
  using Place = Journal::Json;
  using Result = std::map<std::string, double>;

  /// Cells count whose result has all of `names`. No path: no file. Throws Error where the file is
  /// there and cannot be read.
  Cells(std::string path, std::string key, std::vector<std::string> names);

  bool has(const Place& place) const { return find(place) != nullptr; }
  /// The result there; throws std::out_of_range if there is none.
  Result at(const Place& place) const;
  /// Throws Error where the file cannot be written.
  void add(const Place& place, const Result& result) { journal_.add(key_, place, result); }

 private:
  const Journal::Json* find(const Place& place) const;

  Journal journal_;
  std::string key_;
  std::vector<std::string> names_;
};

/// Says on standard error that so many cells ended at the SVM's iteration limit; nothing for 0.
void note_unconverged(const Common& common, int64_t cells);

}  // namespace limbic::cli
