#include "limbic/svm/kernel.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "limbic/core/parallel.h"
#include "limbic/core/simd.h"
#include "limbic/svm/exponential.h"

namespace limbic::svm {
namespace {

// One row's products with others, its squared norm in the unit of theirs, and that of products.
struct RowTerms {
  double gamma, norm, unit;
};

template <class T>
[[gnu::always_inline]] inline void rbf_row(const RowTerms& r, const double* norms, int64_t n,
                                           const T* products, float* out) {
  const double gamma = r.gamma, norm = r.norm, factor = -2 * r.unit;
  for_columns(n, [&](int64_t j) {
    const double distance = norm + norms[j] + factor * double{products[j]};
    out[j] = exp_of_negative(static_cast<float>(-gamma * (distance > 0 ? distance : 0)));
  });
}

LIMBIC_MULTIVERSION void rbf_of_row(const RowTerms& r, const double* norms, int64_t n,
                                    const float* products, float* out) {
  rbf_row(r, norms, n, products, out);
}

LIMBIC_MULTIVERSION void rbf_of_row(const RowTerms& r, const double* norms, int64_t n,
                                    const double* products, float* out) {
  rbf_row(r, norms, n, products, out);
}

double power(double base, int exponent) {
  double out = 1;
  for (; exponent > 0; exponent /= 2) {
    if (exponent % 2 == 1) out *= base;
    base *= base;
  }
  return out;
}

// Of linear and polynomial, from x.y.
double from_product(const KernelOptions& o, double product) {
  return o.type == KernelType::linear ? product : power(o.gamma * product + o.coef0, o.degree);
}

float checked(double value) {
  require(std::abs(value) <= double{std::numeric_limits<float>::max()},
          "SVM features: a kernel value of ", value,
          " overflows single precision; scale the features");
  return static_cast<float>(value);
}

struct ToKernel {
  const KernelOptions& options;
  const SampleRows &a, &b;

  template <class T>
  void operator()(int64_t i, Range columns, const T* products, float* out) const {
    const double unit_a = a.unit(i), unit_b = b.unit();
    if (options.type == KernelType::rbf) {
      const double unit = unit_a / unit_b;
      rbf_of_row({options.gamma * unit_b * unit_b, a.squared_norm(i) * unit * unit, unit},
                 b.squared_norms().data() + columns.begin, columns.size(), products, out);
      if (&a == &b && i >= columns.begin && i < columns.end) out[i - columns.begin] = 1;
      return;
    }
    for (int64_t j = 0; j < columns.size(); ++j)
      out[j] = checked(from_product(options, double{products[j]} * unit_a * unit_b));
  }
};

// The largest derivative by a product that the kernel has over samples up to this norm.
double slope(const KernelOptions& o, double largest_norm) {
  if (o.type == KernelType::rbf) return o.gamma;
  if (o.type == KernelType::linear) return 1;
  return o.degree == 0
             ? 0
             : o.degree * o.gamma * power(o.gamma * largest_norm + std::abs(o.coef0), o.degree - 1);
}

ProductNeeds needs_of(const KernelOptions& o) {
  return {.slope = [&o](double largest_norm) { return slope(o, largest_norm); },
          .shift_invariant = o.type == KernelType::rbf};
}

// Column of x F32 (m,1+n) that holds kernel values with a sample, from the number in its column 0.
int64_t column_of(const Tensor& x, const Tensor& samples, int64_t row) {
  const float number = samples.data()[row * samples.dim(1)];
  const int64_t last = x.dim(1) - 1;
  require(number >= 1 && number <= static_cast<float>(last) && number == std::floor(number),
          "SVM: a precomputed kernel needs each sample's number, from 1 to ", last,
          ", in column 0; row ", row, " has ", number);
  return static_cast<int64_t>(number);
}

// Samples for products with each other, or refused where f32 would make 0 of every kernel value.
SampleRows arrange_for(const KernelOptions& o, const Tensor& x,
                       std::span<const int64_t> order = {}) {
  SampleRows rows = arrange(x, needs_of(o), order);
  double largest = 0;
  for (double norm : rows.squared_norms()) largest = std::max(largest, norm);
  if (o.type == KernelType::rbf || largest == 0) return rows;
  const double value = std::abs(from_product(o, largest * rows.unit() * rows.unit()));
  require(value >= 0x1p-100 || o.coef0 != 0 || o.degree == 0,
          "SVM features: kernel values of at most ", value,
          " underflow single precision; scale the features");
  return rows;
}

void check_budget(const Tensor& x, const Tensor& y, const KernelOptions& options) {
  check_shape(x);
  check_shape(y);
  require(options.type == KernelType::precomputed || x.dim(1) == y.dim(1),
          "SVM features: expected ", y.dim(1), " columns, got ", x.dim(1));
  const double bytes = 4.0 * static_cast<double>(x.dim(0)) * static_cast<double>(y.dim(0));
  require_affordable(bytes, options.budget_bytes,
                     str_cat("kernel values of ", x.dim(0), " x ", y.dim(0), " rows"));
}

Tensor precomputed_block(const Tensor& x, const Tensor& y) {
  Tensor out({x.dim(0), y.dim(0)});
  for (int64_t j = 0; j < y.dim(0); ++j) {
    const int64_t column = column_of(x, y, j);
    for (int64_t i = 0; i < x.dim(0); ++i)
      out.data()[i * y.dim(0) + j] = x.data()[i * x.dim(1) + column];
  }
  return out;
}

}  // namespace

SampleKernel::SampleKernel(const Tensor& x, const KernelOptions& options,
                           std::span<const int64_t> order)
    : options_(options) {
  check_shape(x);
  if (options.type != KernelType::precomputed) {
    x_ = arrange_for(options, x, order);
    return;
  }
  check_order(order, x.dim(0));
  precomputed_ = precomputed_block(x, x);
  const int64_t n = x.dim(0);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < i; ++j) {
      const double a = precomputed_.data()[i * n + j], b = precomputed_.data()[j * n + i];
      require(std::abs(a - b) <= 1e-4 * std::max({1.0, std::abs(a), std::abs(b)}),
              "SVM: the precomputed kernel is not symmetric: rows ", j, " and ", i,
              " (from 0) have ", b, " and ", a);
    }
  order_.assign(order.begin(), order.end());
  if (order.empty()) {
    order_.resize(static_cast<size_t>(n));
    std::iota(order_.begin(), order_.end(), int64_t{0});
  }
}

double SampleKernel::diagonal(int64_t sample) const {
  if (options_.type == KernelType::rbf) return 1;
  if (options_.type != KernelType::precomputed)
    return double{checked(from_product(options_, x_.squared_norm(sample) * x_.unit() * x_.unit()))};
  const int64_t row = order_[static_cast<size_t>(sample)];
  return precomputed_.data()[row * precomputed_.dim(1) + row];
}

void SampleKernel::compute(std::span<const int64_t> rows, Range columns, Matrix<float> out) const {
  if (options_.type == KernelType::precomputed) {
    for (size_t i = 0; i < rows.size(); ++i) {
      const float* values =
          precomputed_.data() + order_[static_cast<size_t>(rows[i])] * precomputed_.dim(1);
      for (int64_t j = 0; j < columns.size(); ++j)
        out.data[static_cast<int64_t>(i) * out.stride + j] =
            values[order_[static_cast<size_t>(columns.begin + j)]];
    }
    return;
  }
  const SampleRows some = x_.take(rows);
  fill_block(some, x_, columns, out, ToKernel{options_, some, x_});
  if (options_.type != KernelType::rbf) return;
  for (size_t i = 0; i < rows.size(); ++i)
    if (rows[i] >= columns.begin && rows[i] < columns.end)
      out.data[static_cast<int64_t>(i) * out.stride + rows[i] - columns.begin] = 1;
}

Tensor SampleKernel::whole() const {
  Tensor out = Tensor::uninitialised({samples(), samples()});
  if (options_.type == KernelType::precomputed) {
    std::vector<int64_t> all(static_cast<size_t>(samples()));
    std::iota(all.begin(), all.end(), int64_t{0});
    compute(all, {0, samples()}, {out.data(), samples(), samples(), samples()});
    return out;
  }
  fill_symmetric(x_, out, ToKernel{options_, x_, x_});
  return out;
}

Tensor kernel_matrix(const Tensor& x, const KernelOptions& options) {
  check_budget(x, x, options);
  return SampleKernel(x, options).whole();
}

Tensor kernel_matrix(const Tensor& x, const Tensor& y, const KernelOptions& options) {
  check_budget(x, y, options);
  return ModelKernel(y, options).values(x);
}

ModelKernel::ModelKernel(const Tensor& y, const KernelOptions& options) : options_(options) {
  check_shape(y);
  if (options.type == KernelType::precomputed)
    precomputed_ = y;
  else
    y_ = arrange_for(options, y);
}

Tensor ModelKernel::values(const Tensor& x) const {
  check_shape(x);
  if (options_.type == KernelType::precomputed) return precomputed_block(x, precomputed_);
  const SampleRows a = arrange_like(x, y_);
  Tensor out({a.rows(), y_.rows()});
  fill_block(a, y_, {0, y_.rows()}, {out.data(), a.rows(), y_.rows(), y_.rows()},
             ToKernel{options_, a, y_});
  return out;
}

}  // namespace limbic::svm
