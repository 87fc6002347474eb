#include <doctest/doctest.h>

#include "tests/docs/text.h"

using limbic::testing::text_of;

TEST_CASE("README.md shows the program that is compiled and run as examples/readme.cpp") {
  const std::string readme = text_of("README.md"), fence = "```cpp\n";
  const size_t begin = readme.find(fence);
  REQUIRE(begin != std::string::npos);
  const size_t code = begin + fence.size();
  CHECK(readme.substr(code, readme.find("```", code) - code) == text_of("examples/readme.cpp"));
}
