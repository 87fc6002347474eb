#include "nn/ops/elementwise.h"

#include <cstring>

#include "nn/core/parallel.h"
#include "nn/core/simd.h"

namespace limbic {
namespace {

LIMBIC_MULTIVERSION void add_range(float* __restrict dst, const float* __restrict src, int64_t n) {
  for (int64_t i = 0; i < n; ++i) dst[i] += src[i];
}

}  // namespace

void add_to(float* dst, const float* src, int64_t n) {
  parallel_ranges(
      n, [&](int64_t begin, int64_t end) { add_range(dst + begin, src + begin, end - begin); });
}

void copy_to(float* dst, const float* src, int64_t n) {
  parallel_ranges(n, [&](int64_t begin, int64_t end) {
    std::memcpy(dst + begin, src + begin, static_cast<size_t>(end - begin) * sizeof(float));
  });
}

}  // namespace limbic
