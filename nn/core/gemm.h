#pragma once
#include <cstdint>

namespace limbic {

/// A row-major matrix in someone else's memory: rows x cols, `stride` elements from row to row.
template <class T>
struct Matrix {
  T* data;
  int64_t rows, cols, stride;
  bool transposed = false;  ///< Read as its transpose (cols x rows).

  Matrix t() const { return {data, rows, cols, stride, !transposed}; }
};

/// C = alpha A B + beta C over OpenBLAS. Throws Error where the shapes do not fit.
void gemm(float alpha, Matrix<const float> a, Matrix<const float> b, float beta, Matrix<float> c);
void gemm(double alpha, Matrix<const double> a, Matrix<const double> b, double beta,
          Matrix<double> c);

/// The lower triangle of C = A A', diagonal included; the upper one is left as it is.
void gemm_symmetric(Matrix<const float> a, Matrix<float> c);

/// The processor that OpenBLAS chose its kernels for, in its own words ("Haswell", "SkylakeX").
const char* gemm_core();

}  // namespace limbic
