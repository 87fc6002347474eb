#pragma once
#include <string>

#include "limbic/cli/arguments.h"

namespace limbic::cli {

/// Throws Error unless a file can be written there; before the work, not after it. Nothing is
/// expected of an empty path.
void require_writable(const std::string& path);

/// A folder that a verb writes a model or a run into, held against other writers as long as this
/// lives.
class OutputFolder {
 public:
  /// Makes it. Throws Error where it cannot be written, where somebody writes there, and where it
  /// holds a model or a run and neither `resume` nor `force` is set. `force` starts afresh: what
  /// another run would go on from is removed, a model stays until the new one replaces it. Of
  /// several processes the first does all that; what the others write goes into a folder of their
  /// own that is removed with this.
  OutputFolder(const std::string& dir, bool resume, bool force);
  /// Removes it where nothing was written.
  ~OutputFolder();
  const std::string& path() const { return dir_; }
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

 private:
  std::string dir_;
  int lock_ = -1;
};

}  // namespace limbic::cli
