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

using Floats = hn::ScalableTag<float>;

// Accumulators of rows x 2 vectors, plus two of B and one of A: 14 rows fill 31 of AVX-512's 32
// registers, 6 rows 15 of AVX2's 16. Of one vector, 16 rows load little more than they multiply.
template <int vectors>
constexpr int max_rows = hn::MaxLanes(Floats()) == 16 ? (vectors == 2 ? 14 : 16)
                                                      : (vectors == 2 ? 6 : 12);

template <bool transposed, int rows, int vectors>
HWY_INLINE void multiply_tile(const PackedGemm& g, const float* a, const float* b, float* c) {
  const Floats d;
  constexpr size_t lanes = hn::MaxLanes(Floats());
  using Vector = hn::Vec<Floats>;
  Vector sum[rows][vectors];
  for (int r = 0; r < rows; ++r)
    for (int v = 0; v < vectors; ++v)
      sum[r][v] = g.accumulate ? hn::LoadU(d, c + r * g.c_stride + v * lanes) : hn::Zero(d);
  for (int64_t k = 0; k < g.inner; ++k, b += vectors * lanes, a += transposed ? g.a_stride : 1) {
    Vector column[vectors];
    for (int v = 0; v < vectors; ++v) column[v] = hn::LoadU(d, b + v * lanes);
    for (int r = 0; r < rows; ++r) {
      const Vector element = hn::Set(d, a[transposed ? r : r * g.a_stride]);
      for (int v = 0; v < vectors; ++v) sum[r][v] = hn::MulAdd(element, column[v], sum[r][v]);
    }
  }
  for (int r = 0; r < rows; ++r)
    for (int v = 0; v < vectors; ++v) hn::StoreU(sum[r][v], d, c + r * g.c_stride + v * lanes);
}

template <bool transposed, int vectors, int rows = max_rows<vectors>>
void multiply_rows(int64_t count, const PackedGemm& g, const float* a, const float* b, float* c) {
  if constexpr (rows > 1)
    if (count < rows) return multiply_rows<transposed, vectors, rows - 1>(count, g, a, b, c);
  multiply_tile<transposed, rows, vectors>(g, a, b, c);
}

template <bool transposed, int vectors>
void multiply_panel(const PackedGemm& g, const float* b, float* c) {
  // Blocks of rows as equal as can be: a last one of one or two rows would wait for the latency of
  // its few multiply-adds.
  constexpr int most = max_rows<vectors>;
  const int64_t blocks = (g.rows + most - 1) / most;
  for (int64_t i = 0; i < blocks; ++i) {
    const int64_t begin = g.rows * i / blocks, end = g.rows * (i + 1) / blocks;
    multiply_rows<transposed, vectors>(end - begin, g, g.a + begin * (transposed ? 1 : g.a_stride),
                                       b, c + begin * g.c_stride);
  }
}

template <bool transposed>
void multiply_panels(const PackedGemm& g) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(Floats()));
  const float* b = g.b;
  int64_t column = 0;
  for (; column + 2 * lanes <= g.cols; column += 2 * lanes, b += g.inner * 2 * lanes)
    multiply_panel<transposed, 2>(g, b, g.c + column);
  if (column < g.cols) multiply_panel<transposed, 1>(g, b, g.c + column);
}

void multiply_here(const PackedGemm& g) {
  g.a_transposed ? multiply_panels<true>(g) : multiply_panels<false>(g);
}

int64_t lanes_here() { return static_cast<int64_t>(hn::Lanes(Floats())); }

}  // namespace HWY_NAMESPACE
}  // namespace limbic
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace limbic {

HWY_EXPORT(multiply_here);
HWY_EXPORT(lanes_here);

int64_t vector_floats() { return HWY_DYNAMIC_DISPATCH(lanes_here)(); }

void multiply(const PackedGemm& product) { HWY_DYNAMIC_DISPATCH(multiply_here)(product); }

int64_t packed_floats(int64_t inner, int64_t cols) {
  const int64_t lanes = vector_floats();
  return inner * ((cols + lanes - 1) / lanes * lanes);
}

void pack_columns(const float* b, int64_t inner, int64_t cols, float* packed) {
  const int64_t lanes = vector_floats(), padded = (cols + lanes - 1) / lanes * lanes;
  for (int64_t first = 0; first < padded; first += 2 * lanes) {
    const int64_t width = std::min(2 * lanes, padded - first);
    for (int64_t k = 0; k < inner; ++k)
      for (int64_t j = 0; j < width; ++j)
        *packed++ = first + j < cols ? b[k * cols + first + j] : 0.0f;
  }
}

}  // namespace limbic
#endif
