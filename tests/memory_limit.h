#pragma once
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>

#include "tests/sanitized.h"

namespace limbic {

/// Bytes of writable memory that the process has mapped, which RLIMIT_DATA is held against.
inline rlim_t data_bytes() {
  std::ifstream statm("/proc/self/statm");
  rlim_t fields[6] = {};
  for (rlim_t& field : fields) statm >> field;
  return fields[5] * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE));
}

/// Lets the process take `bytes` more while it lives: the system refuses what goes beyond
/// (RLIMIT_DATA). Does nothing under a sanitizer.
class MemoryLimit {
 public:
  explicit MemoryLimit(uint64_t bytes) {
    if (sanitized) return;
    ::malloc_trim(0);  // what earlier files left free must not hide what this one takes
    ::getrlimit(RLIMIT_DATA, &before_);
    rlimit limited = before_;
    limited.rlim_cur = data_bytes() + bytes;
    ::setrlimit(RLIMIT_DATA, &limited);
  }
  ~MemoryLimit() {
    if (!sanitized) ::setrlimit(RLIMIT_DATA, &before_);
  }
  MemoryLimit(const MemoryLimit&) = delete;
  MemoryLimit& operator=(const MemoryLimit&) = delete;

 private:
  rlimit before_{};
};

}  // namespace limbic
