#pragma once
#include <algorithm>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "limbic/core/parallel.h"
#include "limbic/core/tensor.h"
#include "limbic/svm/gemm.h"

namespace limbic::svm {

/// Samples [begin, end).
struct Range {
  int64_t begin = 0, end = 0;
  int64_t size() const { return end - begin; }
};

/// What may be used of a budget now: no more than three quarters of the memory that is free.
int64_t affordable(int64_t budget_bytes);
/// Throws Error "WHAT need 9 GB, and 4 GB may be used" where that is less than `bytes`.
void require_affordable(double bytes, int64_t budget_bytes, const std::string& what);

/// Throws Error unless x is F32 (rows,features).
void check_shape(const Tensor& x);

/// use(begin, end) over ranges of columns, in parallel: long enough for memory, short enough for
/// the first cache.
template <class Use>
void for_column_ranges(int64_t columns, Use&& use) {
  constexpr int64_t width = 512;
  parallel_for_dynamic((columns + width - 1) / width,
                       [&](int64_t b) { use(b * width, std::min(columns, (b + 1) * width)); });
}

/// Throws Error unless all rows lie in [0, count).
void check_rows(std::span<const int64_t> rows, int64_t count);
/// The same for an order of all of them; an empty one is their own.
void check_order(std::span<const int64_t> order, int64_t count);

/// Some rows of x F32 (n,d), copied together -> (rows,d), or their first `columns` alone.
Tensor take_rows(const Tensor& x, std::span<const int64_t> rows);
Tensor take_rows(const Tensor& x, std::span<const int64_t> rows, int64_t columns);

/// ||row||^2 of each row of x F32 (n,d), in f64; NaN or infinite where a feature is.
std::vector<double> squared_norms(const Tensor& x);

/// Mean of each column in f64.
std::vector<double> column_means(const Tensor& x);

/// Variance of each column (divisor n) around these means, in f64.
std::vector<double> column_variances(const Tensor& x, std::span<const double> means);

/// Sum over the columns of their variances in f64.
double summed_variance(const Tensor& x);

/// Samples made ready for matrix products: the features as they came, without a copy, or in another
/// order, around another origin, in another unit, or in f64. A sample is unit(row) times its row of
/// the matrix, plus the origin. Units are powers of two, which change no digit; they keep squares
/// of very small and very large features within f32.
class SampleRows {
 public:
  int64_t rows() const { return values_.dim(0); }
  int64_t width() const { return values_.dim(1); }
  bool f64() const { return values_.dtype() == DType::f64; }
  /// ||row||^2 of the matrix' rows.
  double squared_norm(int64_t row) const { return norms_[static_cast<size_t>(row)]; }
  std::span<const double> squared_norms() const { return norms_; }
  double unit(int64_t row) const {
    return units_.empty() ? unit_ : units_[static_cast<size_t>(row)];
  }
  /// Of sets made by arrange, whose rows share it.
  double unit() const { return unit_; }

  /// Rows as a matrix; T must be the precision.
  template <class T>
  Matrix<const T> matrix(Range range) const {
    return {values_.data<T>() + range.begin * width(), range.size(), width(), width()};
  }

  /// Some rows, copied together.
  SampleRows take(std::span<const int64_t> rows) const;

 private:
  friend SampleRows arrange(const Tensor&, const struct ProductNeeds&, std::span<const int64_t>);
  friend SampleRows arrange_like(const Tensor&, const SampleRows&);

  Tensor values_;
  std::vector<double> norms_, origin_;  // no origin: 0
  double unit_ = 1;
  std::vector<double> units_;  // of rows that do not share one
};

/// What a kernel asks of products: its largest derivative by a product (see needs_f64), given the
/// largest ||x||^2, and whether it stays the same when all samples are moved together.
struct ProductNeeds {
  std::function<double(double largest_norm)> slope;
  bool shift_invariant = true;
};

/// Rows of x F32 (n,d) for products with each other, in `order` where one is given: as they are
/// where f32 suffices, else around their mean where the kernel does not mind, else in f64.
SampleRows arrange(const Tensor& x, const ProductNeeds& needs, std::span<const int64_t> order = {});

/// Rows of x F32 (m,d) for products with those of `y`: in its precision and around its origin,
/// whatever x holds, each row in a unit of its own.
SampleRows arrange_like(const Tensor& x, const SampleRows& y);

/// Copies the lower triangle of a square F32 matrix onto the upper one.
void mirror_lower(Tensor& square);

// In what follows, finish(i, columns, products, out) turns the products of row i with `columns` of
// the other set into what is wanted of them, float or double -> float; where these are float,
// products and out are the same memory.

/// All rows of a with these columns of b -> out (rows,columns).
template <class Finish>
void fill_block(const SampleRows& a, const SampleRows& b, Range columns, Matrix<float> out,
                const Finish& finish) {
  const int64_t n = a.rows();
  if (n == 0 || columns.size() == 0) return;
  if (!a.f64()) {
    if (a.width() > 0) gemm(a.matrix<float>({0, n}), b.matrix<float>(columns).t(), out);
    parallel_for(n, [&](int64_t i) {
      float* row = out.data + i * out.stride;
      finish(i, columns, row, row);
    });
    return;
  }
  constexpr int64_t at_once = 256;
  std::vector<double> products(static_cast<size_t>(std::min(at_once, n) * columns.size()));
  for (int64_t begin = 0; begin < n; begin += at_once) {
    const Range part{begin, std::min(n, begin + at_once)};
    const Matrix<double> c{products.data(), part.size(), columns.size(), columns.size()};
    if (a.width() > 0) gemm(a.matrix<double>(part), b.matrix<double>(columns).t(), c);
    parallel_for(part.size(), [&](int64_t i) {
      finish(begin + i, columns, products.data() + i * columns.size(),
             out.data + (begin + i) * out.stride);
    });
  }
}

/// All rows of x with all -> out F32 (n,n), symmetric; each product is computed once.
template <class Finish>
void fill_symmetric(const SampleRows& x, Tensor& out, const Finish& finish) {
  const int64_t n = x.rows();
  if (!x.f64()) {
    if (x.width() > 0)
      gemm_symmetric(x.matrix<float>({0, n}), Matrix<float>{out.data(), n, n, n});
    else
      std::fill(out.values().begin(), out.values().end(), 0.0f);
    parallel_for_dynamic(n, [&](int64_t i) {
      finish(i, Range{0, i + 1}, out.data() + i * n, out.data() + i * n);
    });
  } else {
    constexpr int64_t at_once = 256;
    std::vector<double> products(static_cast<size_t>(std::min(at_once, n) * n));
    for (int64_t begin = 0; begin < n; begin += at_once) {
      const Range part{begin, std::min(n, begin + at_once)}, columns{0, part.end};
      const Matrix<double> c{products.data(), part.size(), columns.size(), columns.size()};
      if (x.width() > 0) gemm(x.matrix<double>(part), x.matrix<double>(columns).t(), c);
      parallel_for(part.size(), [&](int64_t i) {
        finish(begin + i, Range{0, begin + i + 1}, products.data() + i * columns.size(),
               out.data() + (begin + i) * n);
      });
    }
  }
  mirror_lower(out);
}

}  // namespace limbic::svm
