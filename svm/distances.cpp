#include "svm/distances.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "nn/core/gemm.h"
#include "nn/core/parallel.h"

namespace limbic {
namespace {

constexpr int64_t block_rows = 256;
constexpr double largest = std::numeric_limits<float>::max();

void check_shape(const Tensor& x) {
  require(x.rank() == 2 && x.dtype() == DType::f32,
          "SVM features: expected F32 (rows,features), got ", to_string(x.dtype()), " ",
          to_string(x.shape()));
}

void check_pair(const Tensor& x, const Tensor& y, const DistanceOptions& options) {
  check_shape(x);
  check_shape(y);
  require(x.dim(1) == y.dim(1), "SVM features: expected ", y.dim(1), " columns, got ", x.dim(1));
  const double bytes = 4.0 * static_cast<double>(x.dim(0)) * static_cast<double>(y.dim(0));
  require(bytes <= static_cast<double>(options.budget_bytes), "the kernel matrix of ", x.dim(0),
          " x ", y.dim(0), " rows needs ", bytes / 1e9, " GB, the budget is ",
          static_cast<double>(options.budget_bytes) / 1e9,
          " GB; use fewer rows or a larger budget");
}

std::vector<double> column_means(const Tensor& x) {
  const int64_t n = x.dim(0), d = x.dim(1);
  std::vector<double> mean(static_cast<size_t>(d), 0.0);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < d; ++j) mean[static_cast<size_t>(j)] += x.data()[i * d + j];
  for (double& m : mean) m /= static_cast<double>(std::max<int64_t>(n, 1));
  return mean;
}

// Rows minus `centre` as T, and the squared norms in f64 of what T holds.
template <class T>
struct Centred {
  Centred(const Tensor& x, const std::vector<double>& centre)
      : rows(x.dim(0)),
        width(x.dim(1)),
        values(static_cast<size_t>(x.size())),
        norms(static_cast<size_t>(rows)) {
    parallel_for(rows, [&](int64_t i) {
      double norm = 0;
      for (int64_t j = 0; j < width; ++j) {
        const double value = x.data()[i * width + j] - centre[static_cast<size_t>(j)];
        const T kept = static_cast<T>(std::clamp(value, -largest, largest));
        values[static_cast<size_t>(i * width + j)] = kept;
        norm += double{kept} * double{kept};
      }
      norms[static_cast<size_t>(i)] = norm;
    });
  }

  Matrix<const T> block(int64_t begin, int64_t end) const {
    return {values.data() + begin * width, end - begin, width, width};
  }

  int64_t rows, width;
  std::vector<T> values;
  std::vector<double> norms;
};

double max_norm(const Tensor& x, const std::vector<double>& centre) {
  std::vector<double> norms(static_cast<size_t>(x.dim(0)), 0.0);
  const int64_t d = x.dim(1);
  parallel_for(x.dim(0), [&](int64_t i) {
    for (int64_t j = 0; j < d; ++j) {
      const double value = x.data()[i * d + j] - centre[static_cast<size_t>(j)];
      norms[static_cast<size_t>(i)] += value * value;
    }
  });
  return norms.empty() ? 0 : *std::max_element(norms.begin(), norms.end());
}

// Products of rows of a and b, a block of rows of a at a time; with `lower`, only up to the block's
// diagonal. use(i, products of row i, their number).
template <class T, class Use>
void for_each_row(const Centred<T>& a, const Centred<T>& b, bool lower, Use&& use) {
  std::vector<T> products(static_cast<size_t>(std::min(block_rows, a.rows) * b.rows));
  for (int64_t begin = 0; begin < a.rows; begin += block_rows) {
    const int64_t end = std::min(a.rows, begin + block_rows), columns = lower ? end : b.rows;
    if (a.width > 0 && columns > 0)
      gemm(T{1}, a.block(begin, end), b.block(0, columns).t(), T{0},
           Matrix<T>{products.data(), end - begin, columns, columns});
    parallel_for(end - begin,
                 [&](int64_t i) { use(begin + i, products.data() + i * columns, columns); });
  }
}

template <class T>
void fill_distances(const Centred<T>& a, const Centred<T>& b, bool lower, Tensor& out) {
  float* dst = out.data();
  for_each_row(a, b, lower, [&](int64_t i, const T* products, int64_t columns) {
    for (int64_t j = 0; j < columns; ++j) {
      const double distance = a.norms[static_cast<size_t>(i)] + b.norms[static_cast<size_t>(j)] -
                              2.0 * double{products[j]};
      dst[i * b.rows + j] = static_cast<float>(std::clamp(distance, 0.0, largest));
    }
  });
}

// The lower triangle decides: dgemm need not round (i,j) and (j,i) alike.
void make_symmetric(Tensor& square) {
  const int64_t n = square.dim(0);
  float* data = square.data();
  parallel_for_dynamic(n, [&](int64_t i) {
    data[i * n + i] = 0;
    for (int64_t j = i + 1; j < n; ++j) data[i * n + j] = data[j * n + i];
  });
}

template <class T>
Tensor distances_as(const Tensor& x, const Tensor* y, const std::vector<double>& centre) {
  const Centred<T> a(x, centre);
  if (y) {
    Tensor out({x.dim(0), y->dim(0)});
    fill_distances(a, Centred<T>(*y, centre), false, out);
    return out;
  }
  Tensor out({x.dim(0), x.dim(0)});
  fill_distances(a, a, true, out);
  make_symmetric(out);
  return out;
}

}  // namespace

void check_features(const Tensor& x) {
  check_shape(x);
  const float* data = x.data();
  for (int64_t i = 0; i < x.size(); ++i)
    require(std::isfinite(data[i]), "SVM features: row ", i / x.dim(1), ", column ", i % x.dim(1),
            " (from 0) is ", data[i], ", expected a finite number");
}

bool needs_f64(double gamma, double max_squared_norm) {
  return !(gamma * max_squared_norm * 0x1p-24 <= 1e-5);
}

Tensor squared_distances(const Tensor& x, const DistanceOptions& options) {
  check_pair(x, x, options);
  const std::vector<double> centre = column_means(x);
  return needs_f64(options.gamma, max_norm(x, centre)) ? distances_as<double>(x, nullptr, centre)
                                                       : distances_as<float>(x, nullptr, centre);
}

Tensor squared_distances(const Tensor& x, const Tensor& y, const DistanceOptions& options) {
  check_pair(x, y, options);
  const std::vector<double> centre = column_means(y);
  const double norm = std::max(max_norm(x, centre), max_norm(y, centre));
  return needs_f64(options.gamma, norm) ? distances_as<double>(x, &y, centre)
                                        : distances_as<float>(x, &y, centre);
}

Tensor inner_products(const Tensor& x, const Tensor& y, const DistanceOptions& options) {
  check_pair(x, y, options);
  const std::vector<double> origin(static_cast<size_t>(x.dim(1)), 0.0);
  Tensor out({x.dim(0), y.dim(0)});
  for_each_row(Centred<double>(x, origin), Centred<double>(y, origin), false,
               [&](int64_t i, const double* products, int64_t columns) {
                 for (int64_t j = 0; j < columns; ++j) {
                   require(std::abs(products[j]) <= largest,
                           "SVM features: inner products overflow; scale the features");
                   out.data()[i * columns + j] = static_cast<float>(products[j]);
                 }
               });
  return out;
}

}  // namespace limbic
