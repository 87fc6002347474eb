#include "limbic/svm/gemm.h"

#include <algorithm>

#include "limbic/core/error.h"
#include "limbic/core/packed_gemm.h"
#include "limbic/core/parallel.h"
#include "limbic/core/tensor.h"
#include "limbic/svm/products.h"

namespace limbic::svm {
namespace {

// B is packed a slab at a time, which lies in the last cache and is shared by all threads. A thread
// takes some rows of A (second cache) with a piece of the inner dimension; within multiply() a
// panel of the slab stays in the first or second cache.
constexpr int64_t piece = 384, slab_bytes = int64_t{3} << 20, slab_columns = 2048, block_rows = 84;

// (i, j) at data[i * row + j * col].
template <class T>
struct View {
  const T* data;
  int64_t row, col, rows, cols;

  explicit View(const Matrix<const T>& m)
      : data(m.data),
        row(m.transposed ? 1 : m.stride),
        col(m.transposed ? m.stride : 1),
        rows(m.transposed ? m.cols : m.rows),
        cols(m.transposed ? m.rows : m.cols) {}
  const T* at(int64_t i, int64_t j) const { return data + i * row + j * col; }
};

template <class T>
class Product {
 public:
  Product(const Matrix<const T>& a, const Matrix<const T>& b, const Matrix<T>& c, bool accumulate,
          bool lower)
      : a_(a), b_(b), c_(c), accumulate_(accumulate), lower_(lower) {
    require(a_.cols == b_.rows && c.rows == a_.rows && c.cols == b_.cols && !c.transposed,
            "gemm: (", a_.rows, ",", a_.cols, ") x (", b_.rows, ",", b_.cols, ") does not give (",
            c.rows, ",", c.cols, ")");
  }

  void run() {
    if (!accumulate_ && a_.cols == 0)
      for (int64_t i = 0; i < c_.rows; ++i) std::fill_n(c_.data + i * c_.stride, c_.cols, T{0});
    for (int64_t first = 0; first < c_.cols; first += slab_columns) {
      columns_ = {first, std::min(c_.cols, first + slab_columns)};
      whole_ = columns_.size() / lanes_ * lanes_;
      const int64_t padded = (columns_.size() + lanes_ - 1) / lanes_ * lanes_;
      const int64_t pieces =
          std::max<int64_t>(1, slab_bytes / (piece * padded * static_cast<int64_t>(sizeof(T))));
      slab_ = Tensor::uninitialised({std::min(pieces * piece, a_.cols), padded}, dtype_of<T>());
      for (int64_t begin = 0; begin < a_.cols; begin += pieces * piece)
        run_slab({begin, std::min(a_.cols, begin + pieces * piece)});
    }
  }

 private:
  void run_slab(Range inner) {
    const int64_t panel = 2 * lanes_, pieces = (inner.size() + piece - 1) / piece,
                  panels = (columns_.size() + panel - 1) / panel;
    parallel_for(pieces * panels, [&](int64_t i) {
      const Range k = piece_of(inner, i / panels);
      const int64_t column = i % panels * panel;
      // A column that is not whole is a panel of its own.
      for (const auto& [from, to] : {Range{column, std::min(column + panel, whole_)},
                                     Range{std::max(column, whole_), column + panel}}) {
        const int64_t end = std::min(to, columns_.size());
        if (from < end)
          pack_columns(b_.at(k.begin, columns_.begin + from), b_.row, b_.col, k.size(), end - from,
                       packed(inner, k) + from * k.size());
      }
    });
    const int64_t blocks = std::max({(a_.rows + block_rows - 1) / block_rows,
                                     std::min<int64_t>(a_.rows / 6, 4 * threads()), int64_t{1}});
    parallel_for_dynamic(blocks, [&](int64_t i) {
      const Range rows{a_.rows * i / blocks, a_.rows * (i + 1) / blocks};
      for (int64_t p = 0; p < pieces; ++p) {
        const Range k = piece_of(inner, p);
        run_block(rows, k, packed(inner, k));
      }
    });
  }

  static Range piece_of(Range inner, int64_t i) {
    return {inner.begin + i * piece, std::min(inner.end, inner.begin + (i + 1) * piece)};
  }

  T* packed(Range inner, Range k) {
    return slab_.data<T>() + (k.begin - inner.begin) * slab_.dim(1);
  }

  void run_block(Range rows, Range k, const T* b) const {
    PackedGemm<T> product = {
        .rows = rows.size(),
        .cols = whole_,
        .inner = k.size(),
        .a = a_.at(rows.begin, k.begin),
        .a_row_stride = a_.row,
        .a_inner_stride = a_.col,
        .b = b,
        .c = c_.data + rows.begin * c_.stride + columns_.begin,
        .c_stride = c_.stride,
        .into = k.begin > 0 || accumulate_ ? Into::add : Into::replace,
    };
    const int64_t wanted = lower_ ? rows.end - columns_.begin : columns_.size();
    if (wanted <= 0) return;
    product.cols = std::min(whole_, (wanted + 2 * lanes_ - 1) / (2 * lanes_) * (2 * lanes_));
    multiply(product);
    const int64_t rest = columns_.size() - whole_;
    if (rest == 0 || wanted <= whole_) return;
    T last[block_rows * 16];
    T* const c = product.c + whole_;
    for (int64_t i = 0; i < rows.size(); ++i)
      for (int64_t j = 0; j < lanes_; ++j)
        last[i * lanes_ + j] = j < rest && product.into == Into::add ? c[i * c_.stride + j] : T{0};
    product.cols = product.c_stride = lanes_;
    product.b += whole_ * k.size();
    product.c = last;
    multiply(product);
    for (int64_t i = 0; i < rows.size(); ++i)
      std::copy_n(last + i * lanes_, rest, c + i * c_.stride);
  }

  const View<T> a_, b_;
  const Matrix<T> c_;
  const bool accumulate_, lower_;
  const int64_t lanes_ = vector_lanes<T>();
  Range columns_;
  int64_t whole_ = 0;  // of the slab's columns: a multiple of lanes_
  Tensor slab_;
};

// Few rows of A: B is read as it lies, instead of being packed for them, by C' = B' A'.
template <class T>
void multiply_either_way(const Matrix<const T>& a, const Matrix<const T>& b, const Matrix<T>& c,
                         bool accumulate) {
  if (c.rows > 4 || c.cols <= c.rows) return Product<T>(a, b, c, accumulate, false).run();
  Tensor turned = Tensor::uninitialised({c.cols, c.rows}, dtype_of<T>());
  T* const t = turned.data<T>();
  const auto each = [&](auto&& use) {
    for (int64_t j = 0; j < c.cols; ++j)
      for (int64_t i = 0; i < c.rows; ++i) use(c.data[i * c.stride + j], t[j * c.rows + i]);
  };
  if (accumulate) each([](T& from, T& to) { to = from; });
  Product<T>(b.t(), a.t(), {t, c.cols, c.rows, c.rows}, accumulate, false).run();
  each([](T& to, T& from) { to = from; });
}

}  // namespace

void gemm(Matrix<const float> a, Matrix<const float> b, Matrix<float> c, bool accumulate) {
  multiply_either_way(a, b, c, accumulate);
}

void gemm(Matrix<const double> a, Matrix<const double> b, Matrix<double> c, bool accumulate) {
  multiply_either_way(a, b, c, accumulate);
}

void gemm_symmetric(Matrix<const float> a, Matrix<float> c) {
  Product<float>(a, a.t(), c, false, true).run();
}

}  // namespace limbic::svm
