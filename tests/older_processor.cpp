// Loaded before any program's own libraries (LD_PRELOAD), it keeps Highway to the kernels of the
// processor that LIMBIC_TEST_TARGET names (SSE4, AVX2, AVX3), as ONEDNN_MAX_CPU_ISA does oneDNN:
// scripts/check_processors.sh.
#include <hwy/highway.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

const bool kept = [] {
  const char* name = std::getenv("LIMBIC_TEST_TARGET");
  for (int64_t bit = 1; name && bit < HWY_SCALAR; bit *= 2)
    if (name == std::string(hwy::TargetName(bit))) {
      hwy::DisableTargets(bit - 1);  // The better ones have the lower bits.
      return true;
    }
  std::fprintf(stderr, "LIMBIC_TEST_TARGET: Highway has no target %s\n", name ? name : "(unset)");
  std::abort();
}();

}  // namespace
