#pragma once
#include <string>

#include "limbic/core/file.h"

namespace limbic::testing {

/// What a file holds.
inline std::string text_of(const std::string& path) {
  const auto bytes = read_file(path);
  return {bytes.begin(), bytes.end()};
}

/// The same of a file of the repository.
inline std::string source_text(const std::string& path) {
  return text_of(std::string(LIMBIC_SOURCE_DIR "/") + path);
}

/// Whether a text has a part.
inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace limbic::testing
