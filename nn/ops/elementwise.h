#pragma once
#include <cstdint>

#include "limbic/nn/graph/kernel.h"

namespace limbic {

/// Rows (N*H*W) and columns (C) of an activation as it lies in memory, channels last.
struct RowsColumns {
  int64_t rows, columns;
};
inline RowsColumns rows_columns(const Shape& shape) { return {count(shape) / shape[1], shape[1]}; }

/// f(T{}) for the element type of an activation: float or BFloat16.
template <class F>
decltype(auto) with_element(DType dtype, F&& f) {
  if (dtype == DType::bf16) return f(BFloat16{});
  require(dtype == DType::f32, "activations cannot be ", to_string(dtype));
  return f(float{});
}

/// The same, or uint8_t: for the few kernels that read or write 8-bit values.
template <class F>
decltype(auto) with_stored_element(DType dtype, F&& f) {
  if (dtype == DType::u8) return f(uint8_t{});
  return with_element(dtype, f);
}

/// A kernel templated over the element type of its activations.
template <template <class> class K, class... Args>
std::unique_ptr<Kernel> make_kernel(DType dtype, Args&&... args) {
  return with_element(dtype, [&]<class T>(T) -> std::unique_ptr<Kernel> {
    return std::make_unique<K<T>>(std::forward<Args>(args)...);
  });
}

/// dst[i] += src[i] and dst[i] = src[i], in parallel.
template <class T>
void add_to(T* dst, const T* src, int64_t n);
void add_to(const Buffer& dst, const Buffer& src, int64_t n, DType dtype);
template <class T>
void copy_to(T* dst, const T* src, int64_t n);
void copy_to(const Buffer& dst, const Buffer& src, int64_t bytes);
/// dst[i] = src[i], in parallel.
void widen(const BFloat16* src, float* dst, int64_t n);
/// Negative elements become 0, in place and in parallel; NaN stays.
void drop_negative(const Buffer& values, int64_t n, DType dtype);

}  // namespace limbic
