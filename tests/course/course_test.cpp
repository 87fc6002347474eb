#include <doctest/doctest.h>
#include <sys/wait.h>

#include <cstdio>
#include <filesystem>
#include <regex>

#include "limbic/core/error.h"
#include "tests/text.h"

using namespace limbic;
using limbic::testing::contains;
using limbic::testing::source_text;

namespace {

struct Result {
  int status;
  std::string out;
};

// What a command prints on both of its outputs.
Result run(const std::string& command) {
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  REQUIRE(pipe);
  Result result;
  char part[4096];
  while (const size_t n = std::fread(part, 1, sizeof part, pipe)) result.out.append(part, n);
  result.status = WEXITSTATUS(::pclose(pipe));
  return result;
}

Result lesson(int number, const char* part) {
  return run(str_cat(LIMBIC_BINARY_DIR "/docs/course/lesson_", number, "_", part));
}

// The blocks of a page that stand behind such a fence, as "cpp".
std::vector<std::string> blocks(const std::string& page, const std::string& kind) {
  std::vector<std::string> out;
  const std::string fence = "```" + kind + "\n";
  for (size_t at = page.find(fence); at != std::string::npos; at = page.find(fence, at)) {
    at += fence.size();
    out.push_back(page.substr(at, page.find("```", at) - at));
  }
  return out;
}

// Every number becomes "#": what is left of timings on another machine.
std::string without_numbers(const std::string& text) {
  return std::regex_replace(text, std::regex(" *[0-9]+(\\.[0-9]+)?"), " #");
}

std::string folder(int number) { return str_cat("docs/course/0", number, "/"); }

// All code that a lesson may quote: its own, the lessons' before it, and reference/.
std::string code_of(int number) {
  std::string out;
  const std::filesystem::path root = LIMBIC_SOURCE_DIR;
  std::vector<std::filesystem::path> folders = {root / "reference"};
  for (int n = 1; n <= number; ++n) folders.push_back(root / folder(n));
  for (const auto& path : folders)
    for (const auto& entry : std::filesystem::directory_iterator(path))
      if (const auto kind = entry.path().extension(); kind == ".cpp" || kind == ".h")
        out += testing::text_of(entry.path());
  return out;
}

}  // namespace

TEST_CASE("the course: a lesson's page shows its code and what its program prints") {
  for (int number = 1; number <= 8; ++number) {
    CAPTURE(number);
    const std::string page = source_text(folder(number) + "README.md"), code = code_of(number);
    const Result printed = lesson(number, "run");
    CHECK(printed.status == 0);
    const auto quoted = blocks(page, "cpp"), output = blocks(page, "text"),
               timings = blocks(page, "text timings");
    CHECK(!quoted.empty());
    CHECK(output.size() + timings.size() > 0);
    for (const std::string& block : quoted) CHECK_MESSAGE(contains(code, block), block);
    for (const std::string& block : output) CHECK_MESSAGE(contains(printed.out, block), block);
    for (const std::string& block : timings)
      CHECK_MESSAGE(contains(without_numbers(printed.out), without_numbers(block)), block);
  }
}

TEST_CASE("the course: figures are what their programs draw") {
  for (int number = 1; number <= 8; ++number) {
    CAPTURE(number);
    const Result drawn = lesson(number, "figure");
    CHECK(drawn.status == 0);
    // Not CHECK: it would print both.
    const bool same = drawn.out == source_text(folder(number) + "figure.svg");
    CHECK_MESSAGE(same, "draw it anew: make -s lesson-figure N=", number, " > ", folder(number),
                  "figure.svg");
  }
}

TEST_CASE("the course: our solutions pass, and an exercise that is not written is missed") {
  for (int number = 1; number <= 8; ++number) {
    CAPTURE(number);
    const Result solution = lesson(number, "solution"), skeleton = lesson(number, "skeleton");
    CAPTURE(solution.out);
    CAPTURE(skeleton.out);
    CHECK(solution.status == 0);
    CHECK(contains(solution.out, "3 of 3 exercises solved"));
    CHECK(skeleton.status == 1);
    CHECK(contains(skeleton.out, "0 of 3 exercises solved"));
    for (int exercise = 1; exercise <= 3; ++exercise)
      CHECK(std::regex_search(
          skeleton.out, std::regex(str_cat("exercise ", exercise, ", [^\n]*: not solved yet\n"))));
  }
  CHECK(contains(source_text("docs/course/README.md"), lesson(2, "skeleton").out));
}

namespace {

struct Wrong {
  std::string compiler, number, line;  // what `make lesson` hands on, and what is said to it
};

}  // namespace

TEST_CASE("the course: a wrong lesson or compiler gets one line that says what would work") {
  for (const Wrong& wrong :
       {Wrong{"g++", "", "Which lesson? 'make lesson N=1' takes the first; there are eight.\n"},
        {"g++", "9", "There is no lesson 9: N is 1 to 8, as in 'make lesson N=1'.\n"},
        {"g++", "1 2", "There is no lesson 1 2: N is 1 to 8, as in 'make lesson N=1'.\n"},
        {"no-such-compiler", "1",
         "There is no compiler no-such-compiler: 'apt install g++' installs one, 'make lesson N=1 "
         "CXX=clang++' takes another.\n"}}) {
    const Result result =
        run("CXX=" + wrong.compiler + " " LIMBIC_SOURCE_DIR "/docs/course/lesson.sh lesson '" +
            wrong.number + "'");
    CAPTURE(wrong.number);
    CHECK(result.status == 1);
    CHECK(result.out == wrong.line);
  }
}
