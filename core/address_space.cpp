#include "limbic/core/address_space.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include <optional>

#include "limbic/core/error.h"

namespace limbic {

namespace {

// Bytes, or nothing where there is no limit.
std::optional<rlim_t> limit() {
  rlimit found{};
  if (::getrlimit(RLIMIT_AS, &found) != 0 || found.rlim_cur == RLIM_INFINITY) return std::nullopt;
  return found.rlim_cur;
}

}  // namespace

bool address_space_is_limited() { return limit().has_value(); }

void require_address_space(int64_t bytes, const std::string& who) {
  const auto most = limit();
  if (!most) return;
  const auto size = static_cast<size_t>(bytes);
  void* room = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  require(room != MAP_FAILED, who, " needs ", bytes >> 20,
          " MB of address space, and the limit of ", *most >> 20,
          " MB leaves less; raise it (ulimit -v) or use fewer --threads");
  ::munmap(room, size);
}

}  // namespace limbic
