#pragma once
#include <cstdint>
#include <string>

namespace limbic::svm {

/// A row-major matrix in someone else's memory: rows x cols, `stride` elements from row to row.
template <class T>
struct Matrix {
  T* data;
  int64_t rows, cols, stride;
  bool transposed = false;  ///< Read as its transpose (cols x rows).

  Matrix t() const { return {data, rows, cols, stride, !transposed}; }
};

/// C = A B, or C += A B. Throws Error where the shapes do not fit. Sums go over pieces of the inner
/// dimension whose length is fixed: an element has the same bits whatever rows and columns are
/// computed beside it, on any number of threads and any processor with fused multiply-adds.
void gemm(Matrix<const float> a, Matrix<const float> b, Matrix<float> c, bool accumulate = false);
void gemm(Matrix<const double> a, Matrix<const double> b, Matrix<double> c,
          bool accumulate = false);

/// The lower triangle of C = A A', diagonal included; what is above it may be overwritten.
void gemm_symmetric(Matrix<const float> a, Matrix<float> c);

}  // namespace limbic::svm
