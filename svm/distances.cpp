#include "limbic/svm/distances.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "limbic/core/simd.h"
#include "limbic/svm/products.h"

namespace limbic::svm {
namespace {

// ||x||^2 + ||y||^2 - 2 x.y of a row's products, at least 0.
template <class T>
[[gnu::always_inline]] inline void finish_row(double norm, const double* norms, int64_t n,
                                              const T* products, float* out) {
  for_columns(n, [&](int64_t j) {
    const double distance = norm + norms[j] - 2.0 * double{products[j]};
    out[j] = static_cast<float>(distance > 0 ? distance : 0);
  });
}

LIMBIC_MULTIVERSION void distances_of_row(double norm, const double* norms, int64_t n,
                                          const float* products, float* out) {
  finish_row(norm, norms, n, products, out);
}

LIMBIC_MULTIVERSION void distances_of_row(double norm, const double* norms, int64_t n,
                                          const double* products, float* out) {
  finish_row(norm, norms, n, products, out);
}

struct ToDistances {
  const SampleRows& rows;

  template <class T>
  void operator()(int64_t i, Range columns, const T* products, float* out) const {
    distances_of_row(rows.squared_norm(i), rows.squared_norms().data() + columns.begin,
                     columns.size(), products, out);
    if (i >= columns.begin && i < columns.end) out[i - columns.begin] = 0;
  }
};

void check_budget(const Tensor& x, const DistanceOptions& options) {
  check_shape(x);
  const double bytes = 4.0 * static_cast<double>(x.dim(0)) * static_cast<double>(x.dim(0));
  require_affordable(bytes, options.budget_bytes, str_cat("distances of ", x.dim(0), " rows"));
}

ProductNeeds needs_of(const DistanceOptions& options) {
  return {.slope = [gamma = options.gamma](double) { return gamma; }};
}

}  // namespace

void check_features(const Tensor& x) {
  check_shape(x);
  const std::vector<double> norms = squared_norms(x);  // finite wherever the features are
  const auto bad =
      std::find_if(norms.begin(), norms.end(), [](double norm) { return !std::isfinite(norm); });
  if (bad == norms.end()) return;
  const int64_t row = bad - norms.begin();
  for (int64_t j = 0; j < x.dim(1); ++j) {
    const float value = x.data()[row * x.dim(1) + j];
    require(std::isfinite(value), "SVM features: row ", row, ", column ", j, " (from 0) is ", value,
            ", expected a finite number");
  }
}

bool needs_f64(double slope, double max_squared_norm) {
  return !(slope * max_squared_norm * 0x1p-24 <= 1e-5);
}

SquaredDistances squared_distances(const Tensor& x, const DistanceOptions& options) {
  check_budget(x, options);
  const SampleRows rows = arrange(x, needs_of(options), options.order);
  SquaredDistances out{Tensor::uninitialised({x.dim(0), x.dim(0)}), rows.unit() * rows.unit()};
  fill_symmetric(rows, out.values, ToDistances{rows});
  return out;
}

}  // namespace limbic::svm
