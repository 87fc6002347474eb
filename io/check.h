#pragma once
#include <functional>
#include <string>
#include <vector>

#include "limbic/io/dataset.h"
#include "limbic/io/loader.h"
#include "limbic/io/near_duplicates.h"

namespace limbic::io {

/// What a look at every file of a labelled folder found.
struct DatasetCheck {
  std::vector<std::string> classes;
  std::vector<int64_t> usable;          ///< Pictures of each class that decode.
  std::vector<SkippedSample> unusable;  ///< Those that do not, and why.
  std::vector<SkippedSample>
      damaged;  ///< Those that decode in part or over errors, and what it was.
  std::vector<std::vector<std::string>> duplicates;  ///< Groups of paths of equal bytes.
  /// Those that stand for a picture that is gone: of one colour, or of equal bytes three times or
  /// more and in two classes at least. They count as usable: whoever wants to leaves them out.
  std::vector<SkippedSample> placeholders;
  std::vector<std::optional<Look>> looks;  ///< Of each sample; empty where it does not decode.
  std::vector<std::string> empty_classes;  ///< Sub-folders without a picture.
  std::vector<std::string> other_files;    ///< No pictures by name or content, which a run ignores.
  std::vector<SkippedSample> left_out;     ///< As in Dataset.
};

struct CheckOptions {
  /// Called with (done, total) pictures from time to time.
  std::function<void(int64_t, int64_t)> progress;
};

/// Decodes every picture of a labelled folder or table, in parallel. Throws Error where
/// scan_dataset does.
DatasetCheck check_dataset(const std::string& dir, const CheckOptions& options = {});
/// The same of samples that have been listed.
DatasetCheck check_dataset(const Dataset& data, const CheckOptions& options = {});

/// Pictures of equal bytes under two labels, or in two of the parts, a group each. Reads only files
/// whose size another one has; those that cannot be read are left out.
std::vector<std::vector<std::string>> contradictions(const std::vector<const Dataset*>& parts);

}  // namespace limbic::io
