#pragma once
#include <cstdint>
#include <string>

#include "limbic/core/error.h"

namespace limbic::weights {

/// What reading one file may still allocate. A file that somebody hands in must not make its reader
/// take more than twice the file's size and 64 MB, of which 16 MB are left for what is not counted
/// (addresses that are reserved for huge pages and never touched are not counted at all).
class Budget {
 public:
  Budget(uint64_t file_size, std::string path)
      : left_(2 * file_size + (uint64_t{48} << 20)), path_(std::move(path)) {}

  uint64_t left() const { return left_; }
  /// Throws Error "PATH: WHAT would take more memory than ..." where less is left.
  void take(uint64_t bytes, const char* what) {
    if (bytes > left_)
      fail(path_, ": ", what, " would take more memory than a file of its size may; save the ",
           "state dict alone");
    left_ -= bytes;
  }

 private:
  uint64_t left_;
  std::string path_;
};

}  // namespace limbic::weights
