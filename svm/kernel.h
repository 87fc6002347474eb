#pragma once
#include "limbic/svm/distances.h"
#include "limbic/svm/products.h"

namespace limbic::svm {

enum class KernelType {
  rbf,          ///< exp(-gamma ||x - y||^2)
  linear,       ///< x.y
  polynomial,   ///< (gamma x.y + coef0)^degree
  precomputed,  ///< x[y[0]]: column 0 is a sample's number from 1, column j its value with sample j
};

struct KernelOptions {
  KernelType type = KernelType::rbf;
  double gamma = 1;                         ///< Of rbf and polynomial.
  double coef0 = 0;                         ///< Of polynomial.
  int degree = 3;                           ///< Of polynomial, 0 to 100.
  int64_t budget_bytes = int64_t{4} << 30;  ///< Of kernel_matrix; a larger one throws Error.
};

/// Kernel values between the samples of one set, computed when they are asked for. Products are in
/// f32, around the mean where that is more exact, or in f64 where f32 would cost more than 1e-5
/// (see needs_f64); what comes out is f32.
class SampleKernel {
 public:
  /// x F32 (n,d), all finite; sample i is row order[i] of x, or row i without an order. Throws
  /// Error for precomputed values that are not symmetric or not numbered from 1.
  SampleKernel(const Tensor& x, const KernelOptions& options, std::span<const int64_t> order = {});

  int64_t samples() const { return precomputed_.empty() ? x_.rows() : std::ssize(order_); }
  double diagonal(int64_t sample) const;
  /// K of the samples `rows` with samples [begin, end) -> out (rows,columns).
  void compute(std::span<const int64_t> rows, Range columns, Matrix<float> out) const;
  /// K of all samples with all -> (n,n), symmetric; each product is computed once.
  Tensor whole() const;

 private:
  KernelOptions options_;
  SampleRows x_;
  Tensor precomputed_;
  std::vector<int64_t> order_;  // of precomputed_
};

/// Kernel values of any samples with those of one set, a model's support vectors. The set alone
/// decides origin and precision, so that a sample's values do not depend on those beside it.
class ModelKernel {
 public:
  /// y F32 (n,d), all finite. Throws Error where f32 would make 0 of every kernel value.
  ModelKernel(const Tensor& y, const KernelOptions& options);
  /// x F32 (m,d) -> F32 (m,n). Throws Error for other widths.
  Tensor values(const Tensor& x) const;

 private:
  KernelOptions options_;
  SampleRows y_;
  Tensor precomputed_;
};

/// The whole kernel matrix of x (n,d) -> (n,n), f32, symmetric. Throws Error over budget.
Tensor kernel_matrix(const Tensor& x, const KernelOptions& options);

/// Kernel values between two sets, x (m,d) and y (n,d) -> (m,n), f32.
Tensor kernel_matrix(const Tensor& x, const Tensor& y, const KernelOptions& options);

}  // namespace limbic::svm
