#include "svm/kernel.h"

#include <cmath>

#include "nn/core/parallel.h"

namespace limbic {

void rbf_from_distances(Tensor& distances, double gamma) {
  parallel_for(distances.dim(0), [&](int64_t i) {
    const Tensor row = distances.rows(i, i + 1);
    for (float& value : row.values()) value = static_cast<float>(std::exp(-gamma * double{value}));
  });
}

Tensor kernel_matrix(const Tensor& x, const KernelOptions& options) {
  const DistanceOptions distance{options.gamma, options.budget_bytes};
  if (options.type == KernelType::linear) return inner_products(x, x, distance);
  Tensor kernel = squared_distances(x, distance);
  rbf_from_distances(kernel, options.gamma);
  return kernel;
}

Tensor kernel_matrix(const Tensor& x, const Tensor& y, const KernelOptions& options) {
  const DistanceOptions distance{options.gamma, options.budget_bytes};
  if (options.type == KernelType::linear) return inner_products(x, y, distance);
  Tensor kernel = squared_distances(x, y, distance);
  rbf_from_distances(kernel, options.gamma);
  return kernel;
}

}  // namespace limbic
