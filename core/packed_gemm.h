#pragma once
#include <cstdint>

namespace limbic {

/// Floats of one vector on this processor: 16 with AVX-512, 8 with AVX2, 4 with SSE, 1 without.
int64_t vector_floats();
/// Columns of a full panel of a packed matrix: two vectors.
inline int64_t panel_columns() { return 2 * vector_floats(); }

/// C = A B, or C += A B, for small matrices that are in a cache already; one thread.
///
/// B is packed into panels of panel_columns() columns, each stored row by row (inner x columns) and
/// one behind the other; where an odd number of vectors is left, the last panel is one vector wide.
/// `cols` is a multiple of vector_floats(): a caller pads B with columns of zeros, and C alike.
/// Every element of C is one chain of multiply-adds in the order of `inner`, so the bits do not
/// depend on how a product is cut into rows, columns or accumulated pieces of `inner`.
struct PackedGemm {
  int64_t rows = 0, cols = 0, inner = 0;
  const float* a = nullptr;  ///< rows x inner, row-major; or transposed, inner x rows
  int64_t a_stride = 0;      ///< Floats from row to row of what is stored.
  bool a_transposed = false;
  const float* b = nullptr;  ///< packed, inner x cols
  float* c = nullptr;        ///< rows x cols, row-major
  int64_t c_stride = 0;
  bool accumulate = false;  ///< C += A B
};
void multiply(const PackedGemm& product);

/// Floats that pack_columns writes: inner * cols, cols rounded up to whole vectors.
int64_t packed_floats(int64_t inner, int64_t cols);
/// Packs a row-major matrix of inner x cols for PackedGemm::b.
void pack_columns(const float* b, int64_t inner, int64_t cols, float* packed);

}  // namespace limbic
