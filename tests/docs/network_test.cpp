#include <doctest/doctest.h>

#include "tests/text.h"

using limbic::testing::source_text;

TEST_CASE("docs/add_a_network.md shows what is compiled and run as examples/add_a_network") {
  const std::string page = source_text("docs/add_a_network.md"), fence = "```cpp\n";
  const std::string folder = "examples/add_a_network/";
  const std::string code = source_text(folder + "tiny.cpp") + source_text(folder + "run_tiny.cpp") +
                           source_text(folder + "limbic_with_tiny.cpp");
  int blocks = 0;
  for (size_t at = page.find(fence); at != std::string::npos; at = page.find(fence, at)) {
    at += fence.size();
    const std::string block = page.substr(at, page.find("```", at) - at);
    CAPTURE(block);
    CHECK(code.find(block) != std::string::npos);
    ++blocks;
  }
  CHECK(blocks == 6);
}
