#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "limbic/core/error.h"
#include "limbic/core/file.h"

using namespace limbic;
namespace fs = std::filesystem;

namespace {

struct Result {
  int status;
  std::string out;
};

// scripts/run_tests.sh of a folder whose CTestTestfile.cmake says this.
Result run_tests(const std::string& tests) {
  const fs::path folder = fs::temp_directory_path() / str_cat("limbic-scripts-", ::getpid());
  fs::create_directories(folder);
  std::ofstream(folder / "CTestTestfile.cmake") << tests;
  const std::string command = str_cat("sh ", LIMBIC_SOURCE_DIR, "/scripts/run_tests.sh ",
                                      folder.string(), " > ", (folder / "out").string(), " 2>&1");
  const int status = std::system(command.c_str());
  const auto bytes = read_file(folder / "out");
  fs::remove_all(folder);
  return {status, {bytes.begin(), bytes.end()}};
}

}  // namespace

TEST_CASE("run_tests.sh fails where a test failed and where there is none") {
  const Result none = run_tests("");
  CHECK(none.status != 0);
  CHECK(none.out.find("no tests") != std::string::npos);
  const Result good = run_tests("add_test(good true)\n");
  CHECK(good.status == 0);
  CHECK(good.out.find("1 passed, 0 failed") != std::string::npos);
  const Result bad = run_tests("add_test(good true)\nadd_test(bad false)\n");
  CHECK(bad.status != 0);
  CHECK(bad.out.find("1 passed, 1 failed") != std::string::npos);
}
