#include "limbic/svm/gemm.h"

#include <cblas.h>

#include <atomic>
#include <sstream>

#include "limbic/core/address_space.h"
#include "limbic/core/error.h"
#include "limbic/core/parallel.h"

namespace limbic::svm {
namespace {

struct Sizes {
  blasint m, n, k;
};

template <class T>
Sizes check(const Matrix<const T>& a, const Matrix<const T>& b, const Matrix<T>& c) {
  const int64_t m = a.transposed ? a.cols : a.rows, k = a.transposed ? a.rows : a.cols;
  const int64_t kb = b.transposed ? b.cols : b.rows, n = b.transposed ? b.rows : b.cols;
  require(k == kb && c.rows == m && c.cols == n && !c.transposed, "gemm: (", m, ",", k, ") x (", kb,
          ",", n, ") does not give (", c.rows, ",", c.cols, ")");
  return {static_cast<blasint>(m), static_cast<blasint>(n), static_cast<blasint>(k)};
}

// OpenBLAS takes a buffer for each thread, and where the system has no room for one it asks again,
// for ever.
void require_buffers() {
  static std::atomic<int> asked = 0;
  const int wanted = threads();
  if (wanted <= asked) return;
  require_address_space(int64_t{130} * wanted << 20,
                        str_cat("SVM: OpenBLAS with ", wanted, " threads"));
  asked = wanted;
}

CBLAS_TRANSPOSE flag(bool transposed) { return transposed ? CblasTrans : CblasNoTrans; }
blasint ld(int64_t stride) { return static_cast<blasint>(stride); }

}  // namespace

void gemm(float alpha, Matrix<const float> a, Matrix<const float> b, float beta, Matrix<float> c) {
  const auto [m, n, k] = check(a, b, c);
  require_buffers();
  cblas_sgemm(CblasRowMajor, flag(a.transposed), flag(b.transposed), m, n, k, alpha, a.data,
              ld(a.stride), b.data, ld(b.stride), beta, c.data, ld(c.stride));
}

void gemm(double alpha, Matrix<const double> a, Matrix<const double> b, double beta,
          Matrix<double> c) {
  const auto [m, n, k] = check(a, b, c);
  require_buffers();
  cblas_dgemm(CblasRowMajor, flag(a.transposed), flag(b.transposed), m, n, k, alpha, a.data,
              ld(a.stride), b.data, ld(b.stride), beta, c.data, ld(c.stride));
}

void gemm_symmetric(Matrix<const float> a, Matrix<float> c) {
  require(!a.transposed && !c.transposed && c.rows == a.rows && c.cols == a.rows,
          "gemm_symmetric: (", a.rows, ",", a.cols, ") times its transpose does not give (", c.rows,
          ",", c.cols, ")");
  require_buffers();
  cblas_ssyrk(CblasRowMajor, CblasLower, CblasNoTrans, static_cast<blasint>(a.rows),
              static_cast<blasint>(a.cols), 1.0f, a.data, ld(a.stride), 0.0f, c.data, ld(c.stride));
}

std::string gemm_version() {
  std::istringstream config(openblas_get_config());  // "OpenBLAS 0.3.21 DYNAMIC_ARCH ..."
  std::string name, number;
  config >> name >> number;
  return str_cat("OpenBLAS ", number, ", kernels for ", openblas_get_corename());
}

}  // namespace limbic::svm
