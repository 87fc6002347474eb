#include <doctest/doctest.h>

#include "tests/text.h"

using limbic::testing::source_text;

TEST_CASE("README.md shows the program that is compiled and run as examples/readme.cpp") {
  const std::string readme = source_text("README.md"), fence = "```cpp\n";
  const size_t begin = readme.find(fence);
  REQUIRE(begin != std::string::npos);
  const size_t code = begin + fence.size();
  CHECK(readme.substr(code, readme.find("```", code) - code) == source_text("examples/readme.cpp"));
}
