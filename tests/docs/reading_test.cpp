#include <doctest/doctest.h>

#include <algorithm>
#include <regex>

#include "limbic/core/file.h"

namespace {

std::string text_of(const std::string& path) {
  const auto bytes = limbic::read_file(std::string(LIMBIC_SOURCE_DIR "/") + path);
  return {bytes.begin(), bytes.end()};
}

}  // namespace

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
  CHECK(page.ends_with("Together " + std::to_string(lines) + " lines in " +
                       std::to_string(files) + " files.\n"));
  CHECK(lines <= 4000);  // what can be read in an afternoon
}
