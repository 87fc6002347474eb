#include "limbic/core/address_space.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "limbic/core/error.h"
#include "tests/sanitized.h"

using namespace limbic;

TEST_CASE("address space: what a limit leaves less than is refused, without a limit nothing is") {
  if (sanitized) return;
  require_address_space(int64_t{1} << 40, "x");
  const pid_t child = ::fork();
  if (child == 0) {  // a limit cannot be taken back
    const rlimit limit{int64_t{2} << 30, int64_t{2} << 30};
    ::setrlimit(RLIMIT_AS, &limit);
    int wrong = 0;
    try {
      require_address_space(int64_t{16} << 20, "x");
    } catch (const Error&) {
      wrong |= 1;
    }
    try {
      require_address_space(int64_t{3} << 30, "a library");
      wrong |= 2;
    } catch (const Error& error) {
      if (std::string(error.what())
              .find("a library needs 3072 MB of address space, and the limit "
                    "of 2048 MB leaves less") == std::string::npos)
        wrong |= 4;
    }
    ::_exit(wrong);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  CHECK(status == 0);
}
