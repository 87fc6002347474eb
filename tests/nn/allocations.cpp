#include "tests/nn/allocations.h"

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

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && defined(__GLIBC__)
#define LIMBIC_COUNTS_ALLOCATIONS true
// operator new, std::aligned_alloc and all else end here. In a shared program our malloc stands
// before libc's; a static one has one malloc only, and the linker's --wrap sends all calls to ours.
#ifdef LIMBIC_STATIC
#define OURS(name) __wrap_##name
#define LIBC(name) __real_##name
#else
#define OURS(name) name
#define LIBC(name) __libc_##name
#endif
extern "C" {
void* LIBC(malloc)(size_t bytes);
void* LIBC(calloc)(size_t n, size_t bytes);
void* LIBC(realloc)(void* old, size_t bytes);
void* LIBC(memalign)(size_t alignment, size_t bytes);

void* OURS(malloc)(size_t bytes) {
  count(bytes);
  return LIBC(malloc)(bytes);
}
void* OURS(calloc)(size_t n, size_t bytes) {
  count(n * bytes);
  return LIBC(calloc)(n, bytes);
}
void* OURS(realloc)(void* old, size_t bytes) {
  count(bytes);
  return LIBC(realloc)(old, bytes);
}
void* OURS(memalign)(size_t alignment, size_t bytes) {
  count(bytes);
  return LIBC(memalign)(alignment, bytes);
}
void* OURS(aligned_alloc)(size_t alignment, size_t bytes) {
  return OURS(memalign)(alignment, bytes);
}
int OURS(posix_memalign)(void** out, size_t alignment, size_t bytes) {
  *out = OURS(memalign)(alignment, bytes);
  return *out ? 0 : ENOMEM;
}
}
#else
#define LIMBIC_COUNTS_ALLOCATIONS false
#endif

// Stands before the library's own function (the linker's --wrap).
extern "C" {
dnnl_status_t __real_dnnl_primitive_execute(const_dnnl_primitive_t, dnnl_stream_t, int,
                                            const dnnl_exec_arg_t*);
dnnl_status_t __wrap_dnnl_primitive_execute(const_dnnl_primitive_t primitive, dnnl_stream_t stream,
                                            int n, const dnnl_exec_arg_t* arguments) {
  ++primitives;
  ++executing;
  const dnnl_status_t status = __real_dnnl_primitive_execute(primitive, stream, n, arguments);
  --executing;
  return status;
}
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
