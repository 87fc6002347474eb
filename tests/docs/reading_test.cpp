#include <doctest/doctest.h>

#include <algorithm>
#include <regex>

#include "tests/text.h"

using limbic::testing::source_text;

// `scripts/count_reading.py` writes the numbers anew.
TEST_CASE("docs/reading.md: an afternoon's files, and how long they are") {
  const std::string page = source_text("docs/reading.md");
  const std::regex row("\\| `([^`]+)` \\| (\\d+) \\|");
  int64_t lines = 0, files = 0;
  for (std::sregex_iterator at(page.begin(), page.end(), row), end; at != end; ++at, ++files) {
    const std::string path = (*at)[1], text = source_text(path);
    const int64_t length = std::count(text.begin(), text.end(), '\n');
    CAPTURE(path);
    CHECK(std::stoll((*at)[2]) == length);
    lines += length;
  }
  CHECK(page.ends_with("Together " + std::to_string(lines) + " lines in " + std::to_string(files) +
                       " files.\n"));
  CHECK(lines <= 4000);  // what can be read in an afternoon
}
