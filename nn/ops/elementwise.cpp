#include "limbic/nn/ops/elementwise.h"

#include <cstring>

#include "limbic/core/parallel.h"
#include "limbic/core/simd.h"

namespace limbic {
namespace {

template <class T>
LIMBIC_MULTIVERSION void add_range(T* __restrict dst, const T* __restrict src, int64_t n) {
  for (int64_t i = 0; i < n; ++i) dst[i] = from_f32<T>(to_f32(dst[i]) + to_f32(src[i]));
}

}  // namespace

template <class T>
void add_to(T* dst, const T* src, int64_t n) {
  parallel_ranges(
      n, [&](int64_t begin, int64_t end) { add_range(dst + begin, src + begin, end - begin); });
}

template <class T>
void copy_to(T* dst, const T* src, int64_t n) {
  parallel_ranges(n, [&](int64_t begin, int64_t end) {
    std::memcpy(dst + begin, src + begin, static_cast<size_t>(end - begin) * sizeof(T));
  });
}

template void add_to(float*, const float*, int64_t);
template void add_to(BFloat16*, const BFloat16*, int64_t);
template void copy_to(float*, const float*, int64_t);
template void copy_to(BFloat16*, const BFloat16*, int64_t);

void add_to(const Buffer& dst, const Buffer& src, int64_t n, DType dtype) {
  with_element(dtype, [&]<class T>(T) { add_to(dst.as<T>(), src.as<T>(), n); });
}

void widen(const BFloat16* src, float* dst, int64_t n) {
  parallel_for(n, [&](int64_t i) { dst[i] = to_f32(src[i]); });
}

void drop_negative(const Buffer& values, int64_t n, DType dtype) {
  with_element(dtype, [&]<class T>(T) {
    T* x = values.as<T>();
    parallel_for(n, [&](int64_t i) { x[i] = to_f32(x[i]) < 0 ? T{} : x[i]; });
  });
}

void copy_to(const Buffer& dst, const Buffer& src, int64_t bytes) {
  parallel_ranges(bytes, [&](int64_t begin, int64_t end) {
    std::memcpy(dst.as<char>() + begin, src.as<char>() + begin, static_cast<size_t>(end - begin));
  });
}

}  // namespace limbic
