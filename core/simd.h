#pragma once
#include <cstdint>

/// Put before a function that holds a hot plain loop: gcc compiles it once for each of these
/// targets and the program picks at load time, so that one binary serves every x86-64 processor.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define LIMBIC_CLONES(...) __attribute__((target_clones(__VA_ARGS__), noinline))
#else
#define LIMBIC_CLONES(...)
#endif
/// For the baseline, AVX2 and AVX-512.
#define LIMBIC_MULTIVERSION LIMBIC_CLONES("default", "arch=x86-64-v3", "arch=x86-64-v4")

/// Put before a loop whose iterations are independent although two of its pointers may be the same:
/// the compiler then vectorises it without a check for overlap, which in-place use would fail.
#if defined(__clang__)
#define LIMBIC_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define LIMBIC_INDEPENDENT _Pragma("GCC ivdep")
#endif

namespace limbic {

/// body(c) for c in [0, n), independent of each other, in chunks of a fixed 32 or 16: the compiler
/// makes straight vector code of a chunk, where a loop of unknown length would spend more on its
/// setup than on a row of few channels. For use within LIMBIC_MULTIVERSION functions.
template <class Body>
[[gnu::always_inline]] inline void for_columns(int64_t n, const Body& body) {
  int64_t c = 0;
  for (; c + 32 <= n; c += 32) {
    LIMBIC_INDEPENDENT
    for (int64_t i = 0; i < 32; ++i) body(c + i);
  }
  for (; c + 16 <= n; c += 16) {
    LIMBIC_INDEPENDENT
    for (int64_t i = 0; i < 16; ++i) body(c + i);
  }
  for (; c < n; ++c) body(c);
}

}  // namespace limbic
