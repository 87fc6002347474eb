#pragma once
#include "limbic/cli/journal.h"
#include "limbic/io/near_duplicates.h"
#include "limbic/reproduce/study.h"

namespace limbic::reproduce {

/// The sets, read, looked through and labelled by the primary set's classes.
struct Sets {
  std::vector<SetCheck> checks;
  std::vector<SetResult> sets;
  std::optional<io::PartedSet> parts;          ///< Of the primary set, where it comes in parts.
  std::vector<std::optional<io::Look>> looks;  ///< Of the primary set's usable pictures.
};
/// Pictures that cannot be read and placeholders are left out, each with its reason. Throws Error.
Sets open_sets(const Options& options, cli::Journal& journal, const ProgressFunction& progress);

/// Path, size and time of change of files, one a line: what depends on them is not known any more
/// where this differs. What is not there has neither.
std::string stamps_of(const std::vector<std::string>& paths);

/// The trainings: one for each seed and fold. Throws Error for fewer pictures of a class than
/// folds.
std::vector<Round> divide(const Options& options, const Sets& sets);

/// Test pictures of a round that look like one that it learns from.
std::vector<NearDuplicate> near_duplicates(const Round& round, const Sets& sets);

}  // namespace limbic::reproduce
