#pragma once
#include <string>

#include "limbic/core/file.h"

namespace limbic::testing {

/// A file of the repository.
inline std::string text_of(const std::string& path) {
  const auto bytes = read_file(std::string(LIMBIC_SOURCE_DIR "/") + path);
  return {bytes.begin(), bytes.end()};
}

}  // namespace limbic::testing
