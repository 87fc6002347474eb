#include "limbic/svm/products.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "limbic/core/cgroup.h"
#include "limbic/core/parallel.h"
#include "limbic/core/simd.h"
#include "limbic/svm/distances.h"

namespace limbic::svm {
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

// ||x - origin||^2 of each row in f64; no origin: 0.
std::vector<double> norms_around(const std::vector<double>& origin, const Tensor& x) {
  if (origin.empty()) return norms_of<float>(x);
  std::vector<double> out(static_cast<size_t>(x.dim(0)), 0.0);
  parallel_for(x.dim(0), [&](int64_t i) {
    const float* row = x.data() + i * x.dim(1);
    double& sum = out[static_cast<size_t>(i)];
    for (size_t j = 0; j < origin.size(); ++j)
      sum += (double{row[j]} - origin[j]) * (double{row[j]} - origin[j]);
  });
  return out;
}

// The unit for rows whose largest ||row||^2 this is: 1 where squares and their sums are far from
// f32's ends, else what brings it near 1.
double unit_for(double largest_norm) {
  if (largest_norm == 0 || (largest_norm >= 0x1p-40 && largest_norm <= 0x1p40)) return 1;
  return std::ldexp(1.0, std::ilogb(largest_norm) / 2);
}

// (x - origin) / unit(i), rows in order.
template <class T, class Unit>
Tensor copied(const Tensor& x, const std::vector<double>& origin, std::span<const int64_t> order,
              const Unit& unit) {
  const int64_t n = x.dim(0), d = x.dim(1);
  Tensor out = Tensor::uninitialised({n, d}, dtype_of<T>());
  parallel_for(n, [&](int64_t i) {
    const float* from = x.data() + (order.empty() ? i : order[static_cast<size_t>(i)]) * d;
    const double factor = 1 / unit(i);
    T* to = out.data<T>() + i * d;
    for (int64_t j = 0; j < d; ++j)
      to[j] = static_cast<T>(
          (double{from[j]} - (origin.empty() ? 0.0 : origin[static_cast<size_t>(j)])) * factor);
  });
  return out;
}

double largest(std::span<const double> norms) {
  return norms.empty() ? 0 : *std::max_element(norms.begin(), norms.end());
}

bool too_coarse(const ProductNeeds& needs, double largest_norm) {
  return needs_f64(needs.slope(largest_norm), largest_norm);
}

}  // namespace

int64_t affordable(int64_t budget_bytes) {
  return std::min(budget_bytes, available_memory() / 4 * 3);
}

void require_affordable(double bytes, int64_t budget_bytes, const std::string& what) {
  constexpr int64_t little = int64_t{16} << 20;  // nobody asks the system for that
  if (bytes <= static_cast<double>(std::min(little, budget_bytes))) return;
  const auto most = static_cast<double>(affordable(budget_bytes));
  require(bytes <= most, what, " need ", bytes / 1e9, " GB, and ", most / 1e9,
          " GB may be used, by the budget and by what memory is free; use fewer rows or a larger "
          "budget");
}

void check_shape(const Tensor& x) {
  require(x.rank() == 2 && x.dtype() == DType::f32,
          "SVM features: expected F32 (rows,features), got ", to_string(x.dtype()), " ",
          to_string(x.shape()));
}

void check_rows(std::span<const int64_t> rows, int64_t count) {
  for (int64_t row : rows)
    require(row >= 0 && row < count, "SVM features: expected rows from 0 to ", count - 1, ", got ",
            row);
}

void check_order(std::span<const int64_t> order, int64_t count) {
  require(order.empty() || std::ssize(order) == count, "SVM features: an order of ", order.size(),
          " for ", count, " rows");
  check_rows(order, count);
}

Tensor take_rows(const Tensor& x, std::span<const int64_t> rows) {
  return take_rows(x, rows, x.dim(1));
}

Tensor take_rows(const Tensor& x, std::span<const int64_t> rows, int64_t columns) {
  const int64_t d = x.dim(1);
  check_rows(rows, x.dim(0));
  require(columns >= 0 && columns <= d, "SVM features: expected at most ", d, " columns, got ",
          columns);
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
  out.unit_ = unit_;
  const int64_t bytes = width() * (f64() ? 8 : 4);
  for (size_t i = 0; i < rows.size(); ++i) {
    std::copy_n(static_cast<const char*>(values_.raw()) + rows[i] * bytes, bytes,
                static_cast<char*>(out.values_.raw()) + static_cast<int64_t>(i) * bytes);
    out.norms_.push_back(squared_norm(rows[i]));
    if (!units_.empty()) out.units_.push_back(unit(rows[i]));
  }
  return out;
}

SampleRows arrange(const Tensor& x, const ProductNeeds& needs, std::span<const int64_t> order) {
  check_shape(x);
  check_order(order, x.dim(0));
  SampleRows out;
  double norm = largest(norms_around(out.origin_, x));
  if (too_coarse(needs, norm) && needs.shift_invariant) {
    out.origin_ = column_means(x);
    norm = largest(norms_around(out.origin_, x));
  }
  out.unit_ = unit_for(norm);
  if (too_coarse(needs, norm)) {
    out.values_ = copied<double>(x, out.origin_, order, [&](int64_t) { return out.unit_; });
    out.norms_ = norms_of<double>(out.values_);
    return out;
  }
  out.values_ = order.empty() && out.origin_.empty() && out.unit_ == 1
                    ? x
                    : copied<float>(x, out.origin_, order, [&](int64_t) { return out.unit_; });
  out.norms_ = norms_of<float>(out.values_);
  return out;
}

SampleRows arrange_like(const Tensor& x, const SampleRows& y) {
  check_shape(x);
  require(x.dim(1) == y.width(), "SVM features: expected ", y.width(), " columns, got ", x.dim(1));
  SampleRows out;
  if (y.f64()) {
    out.unit_ = y.unit_;
    out.values_ = copied<double>(x, y.origin_, {}, [&](int64_t) { return out.unit_; });
    out.norms_ = norms_of<double>(out.values_);
    return out;
  }
  for (double norm : norms_around(y.origin_, x)) out.units_.push_back(unit_for(norm));
  const bool as_it_is = y.origin_.empty() && std::all_of(out.units_.begin(), out.units_.end(),
                                                         [](double unit) { return unit == 1; });
  out.values_ =
      as_it_is ? x : copied<float>(x, y.origin_, {}, [&](int64_t i) { return out.unit(i); });
  out.norms_ = norms_of<float>(out.values_);
  return out;
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

}  // namespace limbic::svm
