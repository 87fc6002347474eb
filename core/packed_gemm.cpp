#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "limbic/core/packed_gemm.cpp"
// This file is compiled once for each instruction set, by the next line (Highway's
// foreach_target.h).
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "limbic/core/packed_gemm.h"

HWY_BEFORE_NAMESPACE();
namespace limbic {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class T>
constexpr size_t lanes = hn::MaxLanes(hn::ScalableTag<T>());

// Accumulators of rows x 2 vectors, plus two of B and one of A: 14 rows fill 31 of AVX-512's 32
// registers, 6 rows 15 of AVX2's 16. Of one vector, 16 rows load little more than they multiply.
template <int vectors>
constexpr int max_rows = lanes<float> == 16 ? (vectors == 2 ? 14 : 16) : (vectors == 2 ? 6 : 12);

template <int rows, int vectors, class T>
HWY_INLINE void multiply_tile(const PackedGemm<T>& g, const T* a, const T* b, T* c) {
  const hn::ScalableTag<T> d;
  constexpr size_t step = lanes<T>;
  using Vector = hn::Vec<hn::ScalableTag<T>>;
  const auto at = [&](int r, int v) { return c + r * g.c_stride + v * step; };
  Vector sum[rows][vectors];
  for (int r = 0; r < rows; ++r)
    for (int v = 0; v < vectors; ++v)
      sum[r][v] = g.into == Into::continue_ ? hn::LoadU(d, at(r, v)) : hn::Zero(d);
  for (int64_t k = 0; k < g.inner; ++k, b += vectors * step, a += g.a_inner_stride) {
    Vector column[vectors];
    for (int v = 0; v < vectors; ++v) column[v] = hn::LoadU(d, b + v * step);
    for (int r = 0; r < rows; ++r) {
      const Vector element = hn::Set(d, a[r * g.a_row_stride]);
      for (int v = 0; v < vectors; ++v) sum[r][v] = hn::MulAdd(element, column[v], sum[r][v]);
    }
  }
  for (int r = 0; r < rows; ++r)
    for (int v = 0; v < vectors; ++v) {
      if (g.into == Into::add) sum[r][v] = hn::Add(hn::LoadU(d, at(r, v)), sum[r][v]);
      hn::StoreU(sum[r][v], d, at(r, v));
    }
}

template <int vectors, int rows = max_rows<vectors>, class T>
void multiply_rows(int64_t count, const PackedGemm<T>& g, const T* a, const T* b, T* c) {
  if constexpr (rows > 1)
    if (count < rows) return multiply_rows<vectors, rows - 1>(count, g, a, b, c);
  multiply_tile<rows, vectors>(g, a, b, c);
}

template <int vectors, class T>
void multiply_panel(const PackedGemm<T>& g, const T* b, T* c) {
  // Blocks of rows as equal as can be: a last one of one or two rows would wait for the latency of
  // its few multiply-adds.
  constexpr int most = max_rows<vectors>;
  const int64_t blocks = (g.rows + most - 1) / most;
  for (int64_t i = 0; i < blocks; ++i) {
    const int64_t begin = g.rows * i / blocks, end = g.rows * (i + 1) / blocks;
    multiply_rows<vectors>(end - begin, g, g.a + begin * g.a_row_stride, b, c + begin * g.c_stride);
  }
}

template <class T>
void multiply_panels(const PackedGemm<T>& g) {
  constexpr int64_t pair = 2 * lanes<T>;
  const T* b = g.b;
  int64_t column = 0;
  for (; column + pair <= g.cols; column += pair, b += g.inner * pair)
    multiply_panel<2>(g, b, g.c + column);
  if (column < g.cols) multiply_panel<1>(g, b, g.c + column);
}

void multiply_f32(const PackedGemm<float>& g) { multiply_panels(g); }
void multiply_f64(const PackedGemm<double>& g) { multiply_panels(g); }
int64_t f32_lanes() { return lanes<float>; }
int64_t f64_lanes() { return lanes<double>; }

}  // namespace HWY_NAMESPACE
}  // namespace limbic
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace limbic {

HWY_EXPORT(multiply_f32);
HWY_EXPORT(multiply_f64);
HWY_EXPORT(f32_lanes);
HWY_EXPORT(f64_lanes);

template <>
int64_t vector_lanes<float>() {
  return HWY_DYNAMIC_DISPATCH(f32_lanes)();
}

template <>
int64_t vector_lanes<double>() {
  return HWY_DYNAMIC_DISPATCH(f64_lanes)();
}

void multiply(const PackedGemm<float>& g) { HWY_DYNAMIC_DISPATCH(multiply_f32)(g); }
void multiply(const PackedGemm<double>& g) { HWY_DYNAMIC_DISPATCH(multiply_f64)(g); }

template <class T>
void pack_columns(const T* b, int64_t inner_stride, int64_t column_stride, int64_t inner,
                  int64_t cols, T* packed) {
  constexpr int64_t step = 16;  // a cache line of f32 of each column, where columns are contiguous
  const int64_t lanes = vector_lanes<T>(), padded = (cols + lanes - 1) / lanes * lanes;
  for (int64_t first = 0; first < padded; first += 2 * lanes) {
    const int64_t width = std::min(2 * lanes, padded - first);
    for (int64_t begin = 0; begin < inner; begin += step)
      for (int64_t j = 0; j < width; ++j)
        for (int64_t k = begin; k < std::min(inner, begin + step); ++k)
          packed[k * width + j] =
              first + j < cols ? b[k * inner_stride + (first + j) * column_stride] : T{0};
    packed += inner * width;
  }
}

template void pack_columns(const float*, int64_t, int64_t, int64_t, int64_t, float*);
template void pack_columns(const double*, int64_t, int64_t, int64_t, int64_t, double*);

}  // namespace limbic
#endif
