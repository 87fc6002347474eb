#pragma once

/// Put before a function that holds a hot plain loop: gcc compiles it three times (baseline, AVX2,
/// AVX-512) and the program picks at load time, so that one binary serves every x86-64 processor.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define LIMBIC_MULTIVERSION \
  __attribute__((target_clones("default", "arch=haswell", "arch=skylake-avx512"), noinline))
#else
#define LIMBIC_MULTIVERSION
#endif
