#include "limbic/core/address_space.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include "limbic/core/error.h"

namespace limbic {

bool has_address_space(size_t bytes) {
  void* room = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return room != MAP_FAILED && ::munmap(room, bytes) == 0;
}

bool address_space_is_limited() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

void require_address_space(int64_t bytes, const std::string& who) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
  require(has_address_space(static_cast<size_t>(bytes)), who, " needs ", bytes >> 20,
          " MB of address space, and the limit of ", limit.rlim_cur >> 20,
          " MB leaves less; raise it (ulimit -v) or use fewer --threads");
}

}  // namespace limbic
