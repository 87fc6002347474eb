#include <doctest/doctest.h>

#include "limbic/core/file.h"

using namespace limbic;

namespace {

std::string text_of(const std::string& path) {
  const auto bytes = read_file(std::string(LIMBIC_SOURCE_DIR "/") + path);
  return {bytes.begin(), bytes.end()};
}

}  // namespace

TEST_CASE("README.md shows the program that is compiled and run as examples/readme.cpp") {
  const std::string readme = text_of("README.md"), fence = "```cpp\n";
  const size_t begin = readme.find(fence);
  REQUIRE(begin != std::string::npos);
  const size_t code = begin + fence.size();
  CHECK(readme.substr(code, readme.find("```", code) - code) == text_of("examples/readme.cpp"));
}
