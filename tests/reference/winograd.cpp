#include "tests/reference/winograd.h"

#include "limbic/core/error.h"

namespace limbic::twins {
namespace {

using Rows = std::vector<std::vector<double>>;

// Coefficients of prod (x - root), the constant first.
std::vector<double> polynomial(const std::vector<double>& roots) {
  std::vector<double> product = {1};
  for (const double root : roots) {
    std::vector<double> next(product.size() + 1);
    for (size_t i = 0; i < product.size(); ++i) {
      next[i + 1] += product[i];
      next[i] -= root * product[i];
    }
    product = next;
  }
  return product;
}

Rows multiply(const Rows& a, const Rows& b) {
  Rows c(a.size(), std::vector<double>(b[0].size()));
  for (size_t i = 0; i < a.size(); ++i)
    for (size_t j = 0; j < b[0].size(); ++j)
      for (size_t k = 0; k < b.size(); ++k) c[i][j] += a[i][k] * b[k][j];
  return c;
}

Rows transpose(const Rows& a) {
  Rows t(a[0].size(), std::vector<double>(a.size()));
  for (size_t i = 0; i < a.size(); ++i)
    for (size_t j = 0; j < a[0].size(); ++j) t[j][i] = a[i][j];
  return t;
}

Rows square(int64_t size) {
  return Rows(static_cast<size_t>(size), std::vector<double>(static_cast<size_t>(size)));
}

// The size x size pixels of an image from (y, x) on; zeros outside it.
Rows window(const Array& images, int64_t n, int64_t c, int64_t y, int64_t x, int64_t size) {
  Rows out = square(size);
  for (int64_t i = 0; i < size; ++i)
    for (int64_t j = 0; j < size; ++j)
      if (y + i >= 0 && x + j >= 0 && y + i < images.height() && x + j < images.width())
        out[size_t(i)][size_t(j)] = images.at(n, c, y + i, x + j);
  return out;
}

// a x a^T: the one-dimensional transform of the columns, then of the rows.
Rows both_ways(const Rows& a, const Rows& x) { return multiply(multiply(a, x), transpose(a)); }

}  // namespace

std::vector<double> winograd_points(int m) {
  require(m == 2 || m == 4, "no points for tiles of ", m);
  if (m == 2) return {0, 1, -1};
  return {0, 0.625, -0.625, 1.5, -1.5};
}

WinogradMatrices winograd_matrices(const std::vector<double>& points) {
  const size_t m = points.size() - 1;
  WinogradMatrices out;
  for (size_t i = 0; i < points.size(); ++i) {
    std::vector<double> others;  // Lagrange: the polynomial that is 0 at all other points
    double at_point = 1;
    for (size_t j = 0; j < points.size(); ++j)
      if (j != i) {
        others.push_back(points[j]);
        at_point *= points[i] - points[j];
      }
    out.bt.push_back(polynomial(others));
    out.bt.back().push_back(0);
    out.g.push_back({1 / at_point, points[i] / at_point, points[i] * points[i] / at_point});
  }
  out.bt.push_back(polynomial(points));  // infinity: the leading coefficients
  out.g.push_back({0, 0, 1});
  for (size_t row = 0; row < m; ++row) {  // powers of the points
    std::vector<double> powers;
    for (size_t i = 0; i < points.size(); ++i)
      powers.push_back(row == 0 ? 1 : out.at.back()[i] * points[i]);
    powers.push_back(row == m - 1 ? 1 : 0);
    out.at.push_back(powers);
  }
  return out;
}

Array winograd_conv2d(const Array& src, const Array& weight, const reference::Padding& padding,
                      int m) {
  const WinogradMatrices matrices = winograd_matrices(winograd_points(m));
  const int64_t n = m + 2, oh = src.height() + padding.top + padding.bottom - 2,
                ow = src.width() + padding.left + padding.right - 2;
  Array dst({src.shape[0], weight.shape[0], oh, ow});
  for (int64_t image = 0; image < dst.shape[0]; ++image)
    for (int64_t out = 0; out < dst.shape[1]; ++out)
      for (int64_t y = 0; y < oh; y += m)
        for (int64_t x = 0; x < ow; x += m) {
          Rows product = square(n);  // summed over input channels before it is transformed back
          for (int64_t in = 0; in < src.shape[1]; ++in) {
            const Rows d = window(src, image, in, y - padding.top, x - padding.left, n);
            Rows kernel = square(3);
            for (int64_t i = 0; i < 3; ++i)
              for (int64_t j = 0; j < 3; ++j)
                kernel[size_t(i)][size_t(j)] = weight.at(out, in, i, j);
            const Rows v = both_ways(matrices.bt, d), u = both_ways(matrices.g, kernel);
            for (size_t i = 0; i < v.size(); ++i)
              for (size_t j = 0; j < v.size(); ++j) product[i][j] += u[i][j] * v[i][j];
          }
          const Rows tile = both_ways(matrices.at, product);
          for (int64_t i = 0; i < m && y + i < oh; ++i)
            for (int64_t j = 0; j < m && x + j < ow; ++j)
              dst.at(image, out, y + i, x + j) = tile[size_t(i)][size_t(j)];
        }
  return dst;
}

Array winograd_backward_weights(const Array& src, const Array& diff_dst,
                                const reference::Padding& padding) {
  const int64_t m = 4, n = m + 2;
  const WinogradMatrices matrices = winograd_matrices(winograd_points(m));
  const Rows a = transpose(matrices.at), gt = transpose(matrices.g);
  Array diff_weight({diff_dst.shape[1], src.shape[1], 3, 3});
  for (int64_t out = 0; out < diff_dst.shape[1]; ++out)
    for (int64_t in = 0; in < src.shape[1]; ++in) {
      Rows product = square(n);  // summed over all tiles before it is transformed back
      for (int64_t image = 0; image < src.shape[0]; ++image)
        for (int64_t y = 0; y < diff_dst.height(); y += m)
          for (int64_t x = 0; x < diff_dst.width(); x += m) {
            const Rows d = window(src, image, in, y - padding.top, x - padding.left, n),
                       tile = window(diff_dst, image, out, y, x, m);
            const Rows v = both_ways(matrices.bt, d), u = both_ways(a, tile);
            for (size_t i = 0; i < v.size(); ++i)
              for (size_t j = 0; j < v.size(); ++j) product[i][j] += u[i][j] * v[i][j];
          }
      const Rows kernel = both_ways(gt, product);
      for (int64_t i = 0; i < 3; ++i)
        for (int64_t j = 0; j < 3; ++j)
          diff_weight.at(out, in, i, j) = kernel[size_t(i)][size_t(j)];
    }
  return diff_weight;
}

}  // namespace limbic::twins
