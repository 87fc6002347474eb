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

/// C = alpha A B + beta C over OpenBLAS. Throws Error where the shapes do not fit.
void gemm(float alpha, Matrix<const float> a, Matrix<const float> b, float beta, Matrix<float> c);
void gemm(double alpha, Matrix<const double> a, Matrix<const double> b, double beta,
          Matrix<double> c);

/// The lower triangle of C = A A', diagonal included; the upper one is left as it is.
void gemm_symmetric(Matrix<const float> a, Matrix<float> c);

/// OpenBLAS' version and the kernels that it chose on this processor: "OpenBLAS 0.3.21, kernels for
/// Zen".
std::string gemm_version();

}  // namespace limbic::svm
