#include "tests/nn/allocations.h"

#include <dlfcn.h>
#include <malloc.h>

#include <oneapi/dnnl/dnnl.h>
#include <atomic>
#include <cerrno>
#include <cstddef>

namespace {

std::atomic<bool> counting{false};
std::atomic<int> executing{0};  // depth of dnnl_primitive_execute, over all threads
std::atomic<int64_t> ours{0}, in_onednn{0}, largest{0}, primitives{0};

[[maybe_unused]] void count(size_t bytes) {
  if (!counting.load(std::memory_order_relaxed)) return;
  ++(executing.load() > 0 ? in_onednn : ours);
  const auto size = static_cast<int64_t>(bytes);
  for (int64_t seen = largest; size > seen && !largest.compare_exchange_weak(seen, size);) {
  }
}

}  // namespace

#if !defined(__SANITIZE_ADDRESS__) && defined(__GLIBC__)
#define LIMBIC_COUNTS_ALLOCATIONS true
// operator new, std::aligned_alloc and all else end here.
extern "C" {
void* __libc_malloc(size_t bytes);
void* __libc_calloc(size_t n, size_t bytes);
void* __libc_realloc(void* old, size_t bytes);
void* __libc_memalign(size_t alignment, size_t bytes);

void* malloc(size_t bytes) {
  count(bytes);
  return __libc_malloc(bytes);
}
void* calloc(size_t n, size_t bytes) {
  count(n * bytes);
  return __libc_calloc(n, bytes);
}
void* realloc(void* old, size_t bytes) {
  count(bytes);
  return __libc_realloc(old, bytes);
}
void* memalign(size_t alignment, size_t bytes) {
  count(bytes);
  return __libc_memalign(alignment, bytes);
}
void* aligned_alloc(size_t alignment, size_t bytes) { return memalign(alignment, bytes); }
int posix_memalign(void** out, size_t alignment, size_t bytes) {
  *out = memalign(alignment, bytes);
  return *out ? 0 : ENOMEM;
}
}
#else
#define LIMBIC_COUNTS_ALLOCATIONS false
#endif

// Stands before the library's own function, which it calls.
extern "C" dnnl_status_t dnnl_primitive_execute(const_dnnl_primitive_t primitive,
                                                dnnl_stream_t stream, int n,
                                                const dnnl_exec_arg_t* arguments) {
  using Execute =
      dnnl_status_t (*)(const_dnnl_primitive_t, dnnl_stream_t, int, const dnnl_exec_arg_t*);
  static const auto original =
      reinterpret_cast<Execute>(::dlsym(RTLD_NEXT, "dnnl_primitive_execute"));
  ++primitives;
  ++executing;
  const dnnl_status_t status = original(primitive, stream, n, arguments);
  --executing;
  return status;
}

namespace limbic {

bool can_count_allocations() { return LIMBIC_COUNTS_ALLOCATIONS; }

void start_counting() {
  ours = in_onednn = largest = primitives = 0;
  counting = true;
}

Allocations stop_counting() {
  counting = false;
  return {ours, in_onednn, largest, primitives};
}

}  // namespace limbic
