// OpenBLAS takes 128 MB of address space for each core before main and, where a limit (`ulimit -v`)
// leaves less, asks for them for ever. What stands in .preinit_array runs before any library's
// constructors.
#include <sched.h>
#include <unistd.h>

#include <cstdio>

#include "limbic/core/address_space.h"

namespace {

void require_room_for_openblas(int, char**, char**) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  const int n = ::sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 1;
  const size_t megabytes = 136 * static_cast<size_t>(n) + 16;
  if (limbic::has_address_space(megabytes << 20)) return;
  char text[200];
  const int length = std::snprintf(text, sizeof text,
                                   "limbic: OpenBLAS takes %zu MB of address space at its start, "
                                   "and the limit leaves less; raise it (ulimit -v)\n",
                                   megabytes);
  [[maybe_unused]] const ssize_t written =
      ::write(STDERR_FILENO, text, static_cast<size_t>(length));
  ::_exit(1);
}

[[gnu::section(".preinit_array"),
  gnu::used]] void (*const before_libraries)(int, char**, char**) = require_room_for_openblas;

}  // namespace
