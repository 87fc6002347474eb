#include "tests/reference/naive.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace limbic::naive {

Padding padding_of(const Conv2dOptions& o, const Shape& src) {
  if (!o.same_padding) return o.padding;
  const auto total = [](int64_t size, int64_t kernel, int64_t stride, int64_t dilation) {
    const int64_t windows = (size + stride - 1) / stride;
    return std::max<int64_t>(0, (windows - 1) * stride + (kernel - 1) * dilation + 1 - size);
  };
  const int64_t h = total(src[2], o.kernel_size.h, o.stride.h, o.dilation.h);
  const int64_t w = total(src[3], o.kernel_size.w, o.stride.w, o.dilation.w);
  return {h / 2, w / 2, (h + 1) / 2, (w + 1) / 2};
}

// dst(n,o,y,x) = bias(o) + sum over the group's input channels i and the kernel's u, v of
// weight(o,i,u,v) * src(n, i, y*stride - padding + u*dilation, x*stride - padding + v*dilation).
Array conv2d(const Array& src, const Array& weight, const Array& bias, const Conv2dOptions& o,
             const Shape& shape) {
  Array dst(shape);
  const int64_t in_per_group = src.shape[1] / o.groups, out_per_group = o.out_channels / o.groups;
  const Padding padding = padding_of(o, src.shape);
  for (int64_t n = 0; n < shape[0]; ++n)
    for (int64_t oc = 0; oc < shape[1]; ++oc)
      for (int64_t oy = 0; oy < shape[2]; ++oy)
        for (int64_t ox = 0; ox < shape[3]; ++ox) {
          double sum = bias.values.empty() ? 0 : bias.values[static_cast<size_t>(oc)];
          for (int64_t ic = 0; ic < in_per_group; ++ic)
            for (int64_t u = 0; u < o.kernel_size.h; ++u)
              for (int64_t v = 0; v < o.kernel_size.w; ++v) {
                const int64_t y = oy * o.stride.h - padding.top + u * o.dilation.h;
                const int64_t x = ox * o.stride.w - padding.left + v * o.dilation.w;
                if (y < 0 || x < 0 || y >= src.shape[2] || x >= src.shape[3]) continue;
                const int64_t channel = oc / out_per_group * in_per_group + ic;
                sum += weight.at(oc, ic, u, v) * src.at(n, channel, y, x);
              }
          dst.at(n, oc, oy, ox) = sum;
        }
  return dst;
}

Array batch_norm(const Array& src, const Array& weight, const Array& bias, Array& running_mean,
                 Array& running_var, const BatchNormOptions& o, bool batch_statistics) {
  Array dst(src.shape);
  const double elements = static_cast<double>(count(src.shape) / src.shape[1]);
  for (int64_t c = 0; c < src.shape[1]; ++c) {
    const auto i = static_cast<size_t>(c);
    const auto for_each = [&](auto&& body) {
      for (int64_t n = 0; n < src.shape[0]; ++n)
        for (int64_t y = 0; y < src.height(); ++y)
          for (int64_t x = 0; x < src.width(); ++x) body(n, y, x);
    };
    double mean = running_mean.values[i], var = running_var.values[i];
    if (batch_statistics) {
      mean = var = 0;
      for_each([&](auto n, auto y, auto x) { mean += src.at(n, c, y, x) / elements; });
      for_each([&](auto n, auto y, auto x) {
        var += std::pow(src.at(n, c, y, x) - mean, 2) / elements;
      });
      const double unbiased = var * elements / std::max(1.0, elements - 1);
      double& m = running_mean.values[i];
      double& v = running_var.values[i];
      m = (1 - o.momentum) * m + o.momentum * mean;
      v = (1 - o.momentum) * v + o.momentum * unbiased;
    }
    for_each([&](auto n, auto y, auto x) {
      const double normalised = (src.at(n, c, y, x) - mean) / std::sqrt(var + o.epsilon);
      dst.at(n, c, y, x) = normalised * weight.values[i] + bias.values[i];
    });
  }
  return dst;
}

Array relu(const Array& src, double cap) {
  Array dst(src.shape);
  for (size_t i = 0; i < src.values.size(); ++i)
    dst.values[i] = src.values[i] < 0 ? 0 : src.values[i] > cap ? cap : src.values[i];  // NaN stays
  return dst;
}

namespace {

// Calls body(oy, ox) for every output position of every image and channel.
template <class Body>
void for_each_output(const Array& dst, const Body& body) {
  for (int64_t n = 0; n < dst.shape[0]; ++n)
    for (int64_t c = 0; c < dst.shape[1]; ++c)
      for (int64_t oy = 0; oy < dst.height(); ++oy)
        for (int64_t ox = 0; ox < dst.width(); ++ox) body(n, c, oy, ox);
}

}  // namespace

Array max_pool2d(const Array& src, const Pool2dOptions& o, const Shape& shape) {
  Array dst(shape);
  for_each_output(dst, [&](int64_t n, int64_t c, int64_t oy, int64_t ox) {
    double best = -std::numeric_limits<double>::infinity();
    for (int64_t u = 0; u < o.kernel_size.h; ++u)
      for (int64_t v = 0; v < o.kernel_size.w; ++v) {
        const int64_t y = oy * o.stride.h - o.padding.top + u;
        const int64_t x = ox * o.stride.w - o.padding.left + v;
        if (y < 0 || x < 0 || y >= src.shape[2] || x >= src.shape[3]) continue;
        const double pixel = src.at(n, c, y, x);
        if (pixel > best || std::isnan(pixel)) best = pixel;
      }
    dst.at(n, c, oy, ox) = best;
  });
  return dst;
}

Array avg_pool2d(const Array& src, const Pool2dOptions& o, const Shape& shape) {
  Array dst(shape);
  for_each_output(dst, [&](int64_t n, int64_t c, int64_t oy, int64_t ox) {
    double sum = 0;
    int64_t inside = 0, padded = 0;
    for (int64_t u = 0; u < o.kernel_size.h; ++u)
      for (int64_t v = 0; v < o.kernel_size.w; ++v) {
        const int64_t y = oy * o.stride.h - o.padding.top + u;
        const int64_t x = ox * o.stride.w - o.padding.left + v;
        // What hangs over the padding too (ceil mode) counts nowhere.
        if (y >= src.shape[2] + o.padding.bottom || x >= src.shape[3] + o.padding.right) continue;
        ++padded;
        if (y < 0 || x < 0 || y >= src.shape[2] || x >= src.shape[3]) continue;
        ++inside;
        sum += src.at(n, c, y, x);
      }
    dst.at(n, c, oy, ox) = sum / static_cast<double>(o.count_include_pad ? padded : inside);
  });
  return dst;
}

Array adaptive_avg_pool2d(const Array& src, const Shape& shape) {
  Array dst(shape);
  const auto first = [](int64_t i, int64_t in, int64_t out) { return i * in / out; };
  const auto last = [](int64_t i, int64_t in, int64_t out) {
    return static_cast<int64_t>(
        std::ceil(static_cast<double>((i + 1) * in) / static_cast<double>(out)));
  };
  const int64_t h = src.shape[2], w = src.shape[3], oh = dst.height(), ow = dst.width();
  for_each_output(dst, [&](int64_t n, int64_t c, int64_t oy, int64_t ox) {
    double sum = 0, pixels = 0;
    for (int64_t y = first(oy, h, oh); y < last(oy, h, oh); ++y)
      for (int64_t x = first(ox, w, ow); x < last(ox, w, ow); ++x, ++pixels)
        sum += src.at(n, c, y, x);
    dst.at(n, c, oy, ox) = sum / pixels;
  });
  return dst;
}

Array linear(const Array& src, const Array& weight, const Array& bias) {
  Array dst({src.shape[0], weight.shape[0]});
  for (int64_t n = 0; n < src.shape[0]; ++n)
    for (int64_t o = 0; o < weight.shape[0]; ++o) {
      double sum = bias.values.empty() ? 0 : bias.values[static_cast<size_t>(o)];
      for (int64_t i = 0; i < src.shape[1]; ++i) sum += weight.at(o, i) * src.at(n, i);
      dst.at(n, o) = sum;
    }
  return dst;
}

Array add(const Array& a, const Array& b) {
  Array dst(a.shape);
  for (size_t i = 0; i < a.values.size(); ++i) dst.values[i] = a.values[i] + b.values[i];
  return dst;
}

Array concat(const std::vector<Array>& src, const Shape& shape) {
  Array dst(shape);
  int64_t begin = 0;
  for (const Array& piece : src) {
    for (int64_t n = 0; n < shape[0]; ++n)
      for (int64_t c = 0; c < piece.shape[1]; ++c)
        for (int64_t y = 0; y < dst.height(); ++y)
          for (int64_t x = 0; x < dst.width(); ++x)
            dst.at(n, begin + c, y, x) = piece.at(n, c, y, x);
    begin += piece.shape[1];
  }
  return dst;
}

Array softmax(const Array& src) {
  Array dst(src.shape);
  for (int64_t n = 0; n < src.shape[0]; ++n) {
    double sum = 0;
    for (int64_t c = 0; c < src.shape[1]; ++c) sum += std::exp(src.at(n, c));
    for (int64_t c = 0; c < src.shape[1]; ++c) dst.at(n, c) = std::exp(src.at(n, c)) / sum;
  }
  return dst;
}

Array flatten(const Array& src) {
  Array dst({src.shape[0], count(src.shape) / src.shape[0]});
  dst.values = src.values;  // row-major (C,H,W) is the order wanted
  return dst;
}

Array slice_pad(const Array& src, const ShortcutOptions& o, const Shape& shape) {
  Array dst(shape);
  for (int64_t n = 0; n < shape[0]; ++n)
    for (int64_t c = 0; c < src.shape[1]; ++c)
      for (int64_t y = 0; y < shape[2]; ++y)
        for (int64_t x = 0; x < shape[3]; ++x)
          dst.at(n, o.channels_before + c, y, x) = src.at(n, c, y * o.stride.h, x * o.stride.w);
  return dst;
}

}  // namespace limbic::naive
