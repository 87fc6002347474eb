#pragma once
#include <cstdint>

namespace limbic {

/// Elements of one vector on this processor: of f32 16 with AVX-512, 8 with AVX2, 4 with SSE, 1
/// without; of f64 half as many.
template <class T>
int64_t vector_lanes();
template <>
int64_t vector_lanes<float>();
template <>
int64_t vector_lanes<double>();
inline int64_t vector_floats() { return vector_lanes<float>(); }

/// What a product does with what C holds.
enum class Into {
  replace,    ///< C = A B
  continue_,  ///< C += A B, as if the inner dimensions stood one behind the other.
  add,        ///< C += A B, A B having been summed first: errors of long sums grow less.
};

/// C = A B, or C += A B, for small matrices that are in a cache already; one thread. T is float or
/// double.
///
/// B is packed into panels of two vectors' columns, each stored row by row (inner x columns) and
/// one behind the other; where an odd number of vectors is left, the last panel is one vector wide.
/// `cols` is a multiple of vector_lanes<T>(): a caller pads B with columns of zeros, and C alike.
/// Every element of C is one chain of multiply-adds in the order of `inner`, so the bits do not
/// depend on how a product is cut into rows, columns or continued pieces of `inner`.
template <class T>
struct PackedGemm {
  int64_t rows = 0, cols = 0, inner = 0;
  const T* a = nullptr;  ///< (row, k) at a[row * a_row_stride + k * a_inner_stride]
  int64_t a_row_stride = 0, a_inner_stride = 1;
  const T* b = nullptr;  ///< packed, inner x cols
  T* c = nullptr;        ///< rows x cols, row-major
  int64_t c_stride = 0;
  Into into = Into::replace;
};
void multiply(const PackedGemm<float>& product);
void multiply(const PackedGemm<double>& product);

/// Packs a matrix of inner x cols, whose element (k, j) is b[k * inner_stride + j * column_stride],
/// for PackedGemm::b: inner * cols elements, cols rounded up to whole vectors.
template <class T>
void pack_columns(const T* b, int64_t inner_stride, int64_t column_stride, int64_t inner,
                  int64_t cols, T* packed);

}  // namespace limbic
