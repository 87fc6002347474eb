#pragma once
// A folder for the files of a test.
#include <cstdlib>
#include <filesystem>
#include <string>

#include "limbic/core/error.h"

namespace limbic::testing {

/// A new folder that nobody else has, and that is gone when the test is.
struct TemporaryFolder {
  TemporaryFolder() {
    std::string name = std::filesystem::temp_directory_path() / "limbic_test_XXXXXX";
    require(::mkdtemp(name.data()) != nullptr, name, ": cannot be made");
    path = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string operator/(const std::string& name) const { return (path / name).string(); }

  std::filesystem::path path;
};

}  // namespace limbic::testing
