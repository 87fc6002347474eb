#include "svm/products.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "nn/core/parallel.h"
#include "nn/core/simd.h"
#include "svm/distances.h"

namespace limbic {
namespace {

// Sums in eight lanes: a fixed order, whatever the vector length.
template <class T>
[[gnu::always_inline]] inline double sum_of_squares(const T* values, int64_t width) {
  double lane[8] = {};
  int64_t j = 0;
  for (; j + 8 <= width; j += 8)
    for (int64_t l = 0; l < 8; ++l) lane[l] += double{values[j + l]} * double{values[j + l]};
  for (; j < width; ++j) lane[0] += double{values[j]} * double{values[j]};
  double sum = 0;
  for (double value : lane) sum += value;
  return sum;
}

LIMBIC_MULTIVERSION double row_norm(const float* values, int64_t width) {
  return sum_of_squares(values, width);
}

LIMBIC_MULTIVERSION double row_norm(const double* values, int64_t width) {
  return sum_of_squares(values, width);
}

template <class T>
std::vector<double> norms_of(const Tensor& values) {
  std::vector<double> out(static_cast<size_t>(values.dim(0)));
  const int64_t d = values.dim(1);
  parallel_for(values.dim(0), [&](int64_t i) {
    out[static_cast<size_t>(i)] = row_norm(values.data<T>() + i * d, d);
  });
  return out;
}

LIMBIC_MULTIVERSION void add_row(const float* row, int64_t width, double* sum) {
  for_columns(width, [&](int64_t j) { sum[j] += double{row[j]}; });
}

LIMBIC_MULTIVERSION void add_squares(const float* row, const double* mean, int64_t width,
                                     double* sum) {
  for_columns(width, [&](int64_t j) {
    const double difference = double{row[j]} - mean[j];
    sum[j] += difference * difference;
  });
}

template <class T>
void copy_row(const float* from, const std::vector<double>& origin, int64_t width, T* to) {
  constexpr double largest = std::numeric_limits<float>::max();
  if (origin.empty()) {
    std::copy_n(from, width, to);
    return;
  }
  for (int64_t j = 0; j < width; ++j)
    to[j] = static_cast<T>(
        std::clamp(double{from[j]} - origin[static_cast<size_t>(j)], -largest, largest));
}

template <class T>
Tensor copied(const Tensor& x, const std::vector<double>& origin, std::span<const int64_t> order) {
  const int64_t n = x.dim(0), d = x.dim(1);
  Tensor out = Tensor::uninitialised({n, d}, dtype_of<T>());
  parallel_for(n, [&](int64_t i) {
    const int64_t row = order.empty() ? i : order[static_cast<size_t>(i)];
    copy_row(x.data() + row * d, origin, d, out.data<T>() + i * d);
  });
  return out;
}

SampleRows in_order(const Tensor& x, const std::vector<double>& norms,
                    std::span<const int64_t> order) {
  if (order.empty()) return {x, norms};
  std::vector<double> ordered(norms.size());
  for (size_t i = 0; i < order.size(); ++i) ordered[i] = norms[static_cast<size_t>(order[i])];
  return {copied<float>(x, {}, order), std::move(ordered)};
}

template <class T>
SampleRows around(const std::vector<double>& origin, const Tensor& x,
                  std::span<const int64_t> order = {}) {
  Tensor values = copied<T>(x, origin, order);
  std::vector<double> norms = norms_of<T>(values);
  return {std::move(values), std::move(norms)};
}

double largest(std::span<const double> norms) {
  return norms.empty() ? 0 : *std::max_element(norms.begin(), norms.end());
}

bool too_coarse(const ProductNeeds& needs, double largest_norm) {
  return needs_f64(needs.slope(largest_norm), largest_norm);
}

}  // namespace

void check_shape(const Tensor& x) {
  require(x.rank() == 2 && x.dtype() == DType::f32,
          "SVM features: expected F32 (rows,features), got ", to_string(x.dtype()), " ",
          to_string(x.shape()));
}

Tensor take_rows(const Tensor& x, std::span<const int64_t> rows) {
  return take_rows(x, rows, x.dim(1));
}

Tensor take_rows(const Tensor& x, std::span<const int64_t> rows, int64_t columns) {
  const int64_t d = x.dim(1);
  Tensor out = Tensor::uninitialised({std::ssize(rows), columns});
  parallel_for(std::ssize(rows), [&](int64_t i) {
    std::copy_n(x.data() + rows[static_cast<size_t>(i)] * d, columns, out.data() + i * columns);
  });
  return out;
}

std::vector<double> squared_norms(const Tensor& x) { return norms_of<float>(x); }

std::vector<double> column_means(const Tensor& x) {
  const int64_t n = x.dim(0), d = x.dim(1);
  std::vector<double> mean(static_cast<size_t>(d), 0.0);
  for_column_ranges(d, [&](int64_t begin, int64_t end) {
    for (int64_t i = 0; i < n; ++i)
      add_row(x.data() + i * d + begin, end - begin, mean.data() + begin);
  });
  for (double& m : mean) m /= static_cast<double>(std::max<int64_t>(n, 1));
  return mean;
}

std::vector<double> column_variances(const Tensor& x, std::span<const double> means) {
  const int64_t n = x.dim(0), d = x.dim(1);
  std::vector<double> out(static_cast<size_t>(d), 0.0);
  for_column_ranges(d, [&](int64_t begin, int64_t end) {
    for (int64_t i = 0; i < n; ++i)
      add_squares(x.data() + i * d + begin, means.data() + begin, end - begin, out.data() + begin);
  });
  for (double& sum : out) sum /= static_cast<double>(std::max<int64_t>(n, 1));
  return out;
}

double summed_variance(const Tensor& x) {
  double sum = 0;
  for (double variance : column_variances(x, column_means(x))) sum += variance;
  return sum;
}

SampleRows SampleRows::take(std::span<const int64_t> rows) const {
  SampleRows out;
  out.values_ = Tensor::uninitialised({std::ssize(rows), width()}, values_.dtype());
  const int64_t bytes = width() * (f64() ? 8 : 4);
  for (size_t i = 0; i < rows.size(); ++i) {
    std::copy_n(static_cast<const char*>(values_.raw()) + rows[i] * bytes, bytes,
                static_cast<char*>(out.values_.raw()) + static_cast<int64_t>(i) * bytes);
    out.norms_.push_back(squared_norm(rows[i]));
  }
  return out;
}

SampleRows arrange(const Tensor& x, const ProductNeeds& needs, std::span<const int64_t> order) {
  check_shape(x);
  const std::vector<double> norms = squared_norms(x);
  if (!too_coarse(needs, largest(norms))) return in_order(x, norms, order);
  std::vector<double> origin;
  if (needs.shift_invariant) {
    origin = column_means(x);
    SampleRows rows = around<float>(origin, x, order);
    if (!too_coarse(needs, largest(rows.squared_norms()))) return rows;
  }
  return around<double>(origin, x, order);
}

TwoSets arrange(const Tensor& x, const Tensor& y, const ProductNeeds& needs) {
  check_shape(x);
  check_shape(y);
  const auto fits = [&](std::span<const double> a, std::span<const double> b) {
    return !too_coarse(needs, std::max(largest(a), largest(b)));
  };
  const std::vector<double> x_norms = squared_norms(x), y_norms = squared_norms(y);
  if (fits(x_norms, y_norms)) return {{x, x_norms}, {y, y_norms}};
  std::vector<double> origin;
  if (needs.shift_invariant) {
    origin = column_means(y);
    TwoSets sets{around<float>(origin, x), around<float>(origin, y)};
    if (fits(sets.x.squared_norms(), sets.y.squared_norms())) return sets;
  }
  return {around<double>(origin, x), around<double>(origin, y)};
}

void mirror_lower(Tensor& square) {
  constexpr int64_t tile = 32;
  const int64_t n = square.dim(0), tiles = (n + tile - 1) / tile;
  float* data = square.data();
  parallel_for_dynamic(tiles, [&](int64_t tile_row) {
    const int64_t top = tile_row * tile, bottom = std::min(n, top + tile);
    for (int64_t left = top; left < n; left += tile)
      for (int64_t i = top; i < bottom; ++i)
        for (int64_t j = std::max(left, i + 1); j < std::min(n, left + tile); ++j)
          data[i * n + j] = data[j * n + i];
  });
}

}  // namespace limbic
