#include "conv2d.h"

#include <algorithm>

namespace limbic::reference {
namespace {

// What is added on both sides for ceil(size / stride) windows.
int64_t same_padding(int64_t size, int64_t kernel, int64_t stride, int64_t dilation) {
  const int64_t windows = (size + stride - 1) / stride;
  return std::max<int64_t>(0, (windows - 1) * stride + (kernel - 1) * dilation + 1 - size);
}

Padding padding_of(const Shape& src, const Shape& weight, const Conv2dOptions& o) {
  if (!o.same_padding) return o.padding;
  const int64_t h = same_padding(src[2], weight[2], o.stride.h, o.dilation.h);
  const int64_t w = same_padding(src[3], weight[3], o.stride.w, o.dilation.w);
  return {h / 2, w / 2, h - h / 2, w - w / 2};
}

Shape dst_shape(const Array& src, const Array& weight, const Conv2dOptions& o) {
  require_images("conv2d", src);
  require(weight.shape.size() == 4 && count(weight.shape) > 0,
          "conv2d: expected weight (O,C/groups,kh,kw), got ", weight.shape);
  require(
      o.groups > 0 && weight.shape[1] * o.groups == src.shape[1] && weight.shape[0] % o.groups == 0,
      "conv2d: weight ", weight.shape, " in ", o.groups, " groups does not fit src ", src.shape);
  require(std::min({o.stride.h, o.stride.w, o.dilation.h, o.dilation.w}) > 0,
          "conv2d: stride and dilation must be positive");
  const Padding p = padding_of(src.shape, weight.shape, o);
  require(std::min({p.top, p.left, p.bottom, p.right}) >= 0,
          "conv2d: padding must not be negative");
  const int64_t free_h = src.shape[2] + p.top + p.bottom - o.dilation.h * (weight.shape[2] - 1) - 1;
  const int64_t free_w = src.shape[3] + p.left + p.right - o.dilation.w * (weight.shape[3] - 1) - 1;
  require(free_h >= 0 && free_w >= 0, "conv2d: weight ", weight.shape, " does not fit into src ",
          src.shape);
  return {src.shape[0], weight.shape[0], free_h / o.stride.h + 1, free_w / o.stride.w + 1};
}

// For one output position, body(w, s) for each product weight.values[w] * src.values[s] of its sum.
class Products {
 public:
  Products(const Array& src, const Array& weight, const Conv2dOptions& o)
      : src_(src), weight_(weight), o_(o), padding_(padding_of(src.shape, weight.shape, o)) {}

  template <class Body>
  void of(int64_t n, int64_t oc, int64_t oy, int64_t ox, const Body& body) const {
    const int64_t out_per_group = weight_.shape[0] / o_.groups;
    const int64_t first = oc / out_per_group * weight_.shape[1];
    for (int64_t i = 0; i < weight_.shape[1]; ++i)
      for (int64_t u = 0; u < weight_.shape[2]; ++u)
        for (int64_t v = 0; v < weight_.shape[3]; ++v) {
          const int64_t y = oy * o_.stride.h - padding_.top + u * o_.dilation.h;
          const int64_t x = ox * o_.stride.w - padding_.left + v * o_.dilation.w;
          if (y < 0 || x < 0 || y >= src_.shape[2] || x >= src_.shape[3]) continue;
          body(weight_.index(oc, i, u, v), src_.index(n, first + i, y, x));
        }
  }

 private:
  const Array &src_, &weight_;
  const Conv2dOptions& o_;
  Padding padding_;
};

}  // namespace

Array conv2d(const Array& src, const Array& weight, const Array& bias, const Conv2dOptions& o) {
  Array dst(dst_shape(src, weight, o));
  if (!bias.empty()) require_shape("conv2d", "bias", bias, {weight.shape[0]});
  const Products products(src, weight, o);
  for_each(dst, [&](int64_t n, int64_t oc, int64_t y, int64_t x) {
    double sum = bias.empty() ? 0 : bias[oc];
    products.of(n, oc, y, x, [&](size_t w, size_t s) { sum += weight.values[w] * src.values[s]; });
    dst.at(n, oc, y, x) = sum;
  });
  return dst;
}

Gradients conv2d_backward(const Array& src, const Array& weight, const Conv2dOptions& o,
                          const Array& dy) {
  require_shape("conv2d_backward", "dy", dy, dst_shape(src, weight, o));
  Gradients d{Array(src.shape), Array(weight.shape), Array({weight.shape[0]})};
  const Products products(src, weight, o);
  for_each(dy, [&](int64_t n, int64_t oc, int64_t y, int64_t x) {
    const double g = dy.at(n, oc, y, x);
    d.bias[oc] += g;
    products.of(n, oc, y, x, [&](size_t w, size_t s) {
      d.src.values[s] += weight.values[w] * g;
      d.weight.values[w] += src.values[s] * g;
    });
  });
  return d;
}

}  // namespace limbic::reference
