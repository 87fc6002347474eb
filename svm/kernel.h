#pragma once
#include "svm/distances.h"

namespace limbic {

enum class KernelType {
  rbf,     ///< exp(-gamma ||x - y||^2)
  linear,  ///< x.y
};

struct KernelOptions {
  KernelType type = KernelType::rbf;
  double gamma = 1;                         ///< Of rbf.
  int64_t budget_bytes = int64_t{4} << 30;  ///< Of the matrix; a larger one throws Error.
};

/// Turns squared distances into RBF kernel values in place: D -> exp(-gamma D).
void rbf_from_distances(Tensor& distances, double gamma);

/// The whole kernel matrix of x (n,d) -> (n,n), f32, symmetric. Throws Error over budget.
Tensor kernel_matrix(const Tensor& x, const KernelOptions& options);

/// Kernel values between two sets, x (m,d) and y (n,d) -> (m,n), f32.
Tensor kernel_matrix(const Tensor& x, const Tensor& y, const KernelOptions& options);

}  // namespace limbic
