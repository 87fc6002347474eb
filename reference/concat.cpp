#include "concat.h"

namespace limbic::reference {
namespace {

Shape dst_shape(const std::vector<Array>& src) {
  require(!src.empty(), "concat: nothing to join");
  require_channels("concat", src[0]);
  Shape shape = src[0].shape;
  for (size_t i = 1; i < src.size(); ++i) {
    require_channels("concat", src[i]);
    Shape expected = src[0].shape;
    expected[1] = src[i].shape[1];
    require_shape("concat", "src", src[i], expected);
    shape[1] += src[i].shape[1];
  }
  return shape;
}

}  // namespace

Array concat(const std::vector<Array>& src) {
  Array dst(dst_shape(src));
  int64_t begin = 0;
  for (const Array& piece : src) {
    for_each(piece, [&](int64_t n, int64_t c, int64_t y, int64_t x) {
      dst.at(n, begin + c, y, x) = piece.at(n, c, y, x);
    });
    begin += piece.shape[1];
  }
  return dst;
}

std::vector<Array> concat_backward(const std::vector<Array>& src, const Array& dy) {
  require_shape("concat_backward", "dy", dy, dst_shape(src));
  std::vector<Array> d;
  int64_t begin = 0;
  for (const Array& piece : src) {
    Array& dx = d.emplace_back(piece.shape);
    for_each(dx, [&](int64_t n, int64_t c, int64_t y, int64_t x) {
      dx.at(n, c, y, x) = dy.at(n, begin + c, y, x);
    });
    begin += piece.shape[1];
  }
  return d;
}

}  // namespace limbic::reference
