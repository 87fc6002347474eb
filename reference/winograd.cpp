#include "winograd.h"

namespace limbic::reference {
namespace {

struct Matrix {
  int64_t rows, columns;
  double values[16];
};
constexpr Matrix bt = {4, 4, {1, 0, -1, 0, 0, 1, 1, 0, 0, -1, 1, 0, 0, 1, 0, -1}};
constexpr Matrix g_matrix = {4, 3, {1, 0, 0, 0.5, 0.5, 0.5, 0.5, -0.5, 0.5, 0, 0, 1}};
constexpr Matrix at = {2, 4, {1, 1, 1, 0, 0, 1, -1, -1}};

// m x m^T for a square x: the one-dimensional transform of the columns, then of the rows.
Array both_ways(const Matrix& m, const Array& x) {
  const auto row = [&](int64_t i) { return m.values + i * m.columns; };
  Array half({1, 1, m.rows, m.columns}), out({1, 1, m.rows, m.rows});
  for_each(half, [&](int64_t, int64_t, int64_t i, int64_t j) {
    for (int64_t k = 0; k < m.columns; ++k) half.at(0, 0, i, j) += row(i)[k] * x.at(0, 0, k, j);
  });
  for_each(out, [&](int64_t, int64_t, int64_t i, int64_t j) {
    for (int64_t k = 0; k < m.columns; ++k) out.at(0, 0, i, j) += half.at(0, 0, i, k) * row(j)[k];
  });
  return out;
}

// size x size values of one channel from (y, x) on; zeros outside it.
Array square(const Array& from, int64_t n, int64_t c, int64_t y, int64_t x, int64_t size) {
  Array out({1, 1, size, size});
  for_each(out, [&](int64_t, int64_t, int64_t i, int64_t j) {
    if (y + i >= 0 && x + j >= 0 && y + i < from.height() && x + j < from.width())
      out.at(0, 0, i, j) = from.at(n, c, y + i, x + j);
  });
  return out;
}

}  // namespace

WinogradTile winograd_tile(const Array& d, const Array& g) {
  require_shape("winograd_tile", "d", d, {1, 1, 4, 4});
  require_shape("winograd_tile", "g", g, {1, 1, 3, 3});
  WinogradTile t{both_ways(bt, d), both_ways(g_matrix, g), Array(d.shape), {}};
  for (int64_t i = 0; i < 16; ++i) t.product[i] = t.input[i] * t.weight[i];
  t.output = both_ways(at, t.product);
  return t;
}

Array winograd_conv2d(const Array& src, const Array& weight, const Padding& padding) {
  require_images("winograd_conv2d", src);
  require_shape("winograd_conv2d", "weight", weight, {weight.shape.at(0), src.shape[1], 3, 3});
  const int64_t oh = src.height() + padding.top + padding.bottom - 2;
  const int64_t ow = src.width() + padding.left + padding.right - 2;
  require(oh > 0 && ow > 0, "winograd_conv2d: no window fits into src ", src.shape);
  Array dst({src.shape[0], weight.shape[0], oh, ow});
  const Array tiles({src.shape[0], weight.shape[0], (oh + 1) / 2, (ow + 1) / 2});
  for_each(tiles, [&](int64_t n, int64_t o, int64_t ty, int64_t tx) {
    const int64_t y = 2 * ty, x = 2 * tx;
    Array product({1, 1, 4, 4});
    for (int64_t c = 0; c < src.shape[1]; ++c) {
      const WinogradTile t = winograd_tile(square(src, n, c, y - padding.top, x - padding.left, 4),
                                           square(weight, o, c, 0, 0, 3));
      for (int64_t i = 0; i < 16; ++i) product[i] += t.product[i];
    }
    const Array output = both_ways(at, product);
    for (int64_t i = 0; i < 2 && y + i < oh; ++i)
      for (int64_t j = 0; j < 2 && x + j < ow; ++j) dst.at(n, o, y + i, x + j) = output[2 * i + j];
  });
  return dst;
}

}  // namespace limbic::reference
