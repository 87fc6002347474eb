#include "svm/distances.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "nn/core/simd.h"
#include "svm/products.h"

namespace limbic {
namespace {

// ||x||^2 + ||y||^2 - 2 x.y of a row's products, clamped to what f32 can hold.
template <class T>
[[gnu::always_inline]] inline void finish_row(double norm, const double* norms, int64_t n,
                                              const T* products, float* out) {
  constexpr double largest = std::numeric_limits<float>::max();
  for_columns(n, [&](int64_t j) {
    const double distance = norm + norms[j] - 2.0 * double{products[j]};
    const double positive = distance > 0 ? distance : 0;
    out[j] = static_cast<float>(positive < largest ? positive : largest);
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
  const SampleRows &a, &b;

  template <class T>
  void operator()(int64_t i, Range columns, const T* products, float* out) const {
    distances_of_row(a.squared_norm(i), b.squared_norms().data() + columns.begin, columns.size(),
                     products, out);
    if (&a == &b && i >= columns.begin && i < columns.end) out[i - columns.begin] = 0;
  }
};

void check_budget(const Tensor& x, const Tensor& y, const DistanceOptions& options) {
  check_shape(x);
  check_shape(y);
  require(x.dim(1) == y.dim(1), "SVM features: expected ", y.dim(1), " columns, got ", x.dim(1));
  const double bytes = 4.0 * static_cast<double>(x.dim(0)) * static_cast<double>(y.dim(0));
  require(bytes <= static_cast<double>(options.budget_bytes), "distances of ", x.dim(0), " x ",
          y.dim(0), " rows need ", bytes / 1e9, " GB, the budget is ",
          static_cast<double>(options.budget_bytes) / 1e9,
          " GB; use fewer rows or a larger budget");
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

Tensor squared_distances(const Tensor& x, const DistanceOptions& options) {
  check_budget(x, x, options);
  const SampleRows rows = arrange(x, needs_of(options), options.order);
  Tensor out = Tensor::uninitialised({x.dim(0), x.dim(0)});
  fill_symmetric(rows, out, ToDistances{rows, rows});
  return out;
}

Tensor squared_distances(const Tensor& x, const Tensor& y, const DistanceOptions& options) {
  check_budget(x, y, options);
  const auto [a, b] = arrange(x, y, needs_of(options));
  Tensor out({x.dim(0), y.dim(0)});
  fill_block(a, b, {0, b.rows()}, {out.data(), a.rows(), b.rows(), b.rows()}, ToDistances{a, b});
  return out;
}

}  // namespace limbic
