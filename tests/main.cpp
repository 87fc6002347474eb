// LIMBIC_TEST_TARGET=AVX2 (SSE4, AVX3, ...) keeps Highway to the kernels of such a processor, as
// ONEDNN_MAX_CPU_ISA does oneDNN: scripts/check_processors.sh.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <hwy/highway.h>

#include <cstdlib>
#include <iostream>

namespace {

int64_t highway_target(const std::string& name) {
  for (int64_t bit = 1; bit < HWY_SCALAR; bit *= 2)
    if (name == hwy::TargetName(bit)) return bit;
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (const char* name = std::getenv("LIMBIC_TEST_TARGET")) {
    const int64_t target = highway_target(name);
    if (!target) {
      std::cerr << "LIMBIC_TEST_TARGET: Highway has no target " << name << '\n';
      return 2;
    }
    hwy::DisableTargets(target - 1);  // The better ones have the lower bits.
  }
  return doctest::Context(argc, argv).run();
}
