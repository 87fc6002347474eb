#include <doctest/doctest.h>

#include <algorithm>
#include <regex>

#include "tests/docs/text.h"

using limbic::testing::text_of;

// `scripts/count_reading.py` writes the numbers anew.
TEST_CASE("docs/reading.md: an afternoon's files, and how long they are") {
  const std::string page = text_of("docs/reading.md");
  const std::regex row("\\| `([^`]+)` \\| (\\d+) \\|");
  int64_t lines = 0, files = 0;
  for (std::sregex_iterator at(page.begin(), page.end(), row), end; at != end; ++at, ++files) {
    const std::string path = (*at)[1], text = text_of(path);
    const int64_t length = std::count(text.begin(), text.end(), '\n');
    CAPTURE(path);
    CHECK(std::stoll((*at)[2]) == length);
    lines += length;
  }
  CHECK(page.ends_with("Together " + std::to_string(lines) + " lines in " + std::to_string(files) +
                       " files.\n"));
  CHECK(lines <= 4000);  // what can be read in an afternoon
}
