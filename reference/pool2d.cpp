#include "pool2d.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace limbic::reference {
namespace {

struct Axis {
  int64_t size, kernel, stride, begin, end;
};

int64_t windows(const Axis& a, bool ceil_mode) {
  const int64_t free = a.size + a.begin + a.end - a.kernel;
  const int64_t over = ceil_mode ? a.stride - 1 : 0;
  require(free + over >= 0, "pool2d: a window of ", a.kernel, " does not fit into ", a.size,
          " pixels");
  const int64_t out = (free + over) / a.stride + 1;
  return ceil_mode && (out - 1) * a.stride >= a.size + a.begin ? out - 1 : out;
}

Shape dst_shape(const Array& src, const Pool2dOptions& o) {
  require_images("pool2d", src);
  const Padding& p = o.padding;
  require(std::min({o.kernel_size.h, o.kernel_size.w, o.stride.h, o.stride.w}) > 0,
          "pool2d: kernel and stride must be positive");
  require(std::min({p.top, p.left, p.bottom, p.right}) >= 0 &&
              2 * std::max(p.top, p.bottom) <= o.kernel_size.h &&
              2 * std::max(p.left, p.right) <= o.kernel_size.w,
          "pool2d: padding must be from 0 to half the kernel");
  const Axis h{src.shape[2], o.kernel_size.h, o.stride.h, p.top, p.bottom};
  const Axis w{src.shape[3], o.kernel_size.w, o.stride.w, p.left, p.right};
  return {src.shape[0], src.shape[1], windows(h, o.ceil_mode), windows(w, o.ceil_mode)};
}

// For one output position the sum of its window, and what an average divides it by.
struct Sum {
  double value = 0, divisor = 0;
};

Sum window_sum(const Array& src, const Pool2dOptions& o, int64_t n, int64_t c, int64_t oy,
               int64_t ox) {
  Sum sum;
  const int64_t places = for_window(src, o, oy, ox, [&](int64_t y, int64_t x) {
    sum.value += src.at(n, c, y, x);
    ++sum.divisor;
  });
  if (o.count_include_pad) sum.divisor = static_cast<double>(places);
  return sum;
}

// Pixels [y0, y1) x [x0, x1) of an adaptive window.
struct Window {
  int64_t y0, y1, x0, x1;
  double pixels() const { return static_cast<double>((y1 - y0) * (x1 - x0)); }
};

Window adaptive_window(const Array& src, Size2 output, int64_t oy, int64_t ox) {
  const int64_t h = src.shape[2], w = src.shape[3];
  return {oy * h / output.h, ((oy + 1) * h + output.h - 1) / output.h, ox * w / output.w,
          ((ox + 1) * w + output.w - 1) / output.w};
}

Shape adaptive_shape(const Array& src, Size2 output) {
  require_images("adaptive_avg_pool2d", src);
  require(output.h > 0 && output.w > 0, "adaptive_avg_pool2d: output must be positive, got ",
          output.h, "x", output.w);
  require(src.shape[2] > 0 && src.shape[3] > 0, "adaptive_avg_pool2d: src ", src.shape,
          " has no pixels");
  return {src.shape[0], src.shape[1], output.h, output.w};
}

// Whether a padding of 0 is among what the largest is taken of.
bool takes_zero(const Array& src, const Pool2dOptions& o, int64_t oy, int64_t ox) {
  int64_t pixels = 0;
  const int64_t places = for_window(src, o, oy, ox, [&](int64_t, int64_t) { ++pixels; });
  return o.zero_padding && pixels < places;
}

}  // namespace

Array max_pool2d(const Array& src, const Pool2dOptions& o) {
  Array dst(dst_shape(src, o));
  for_each(dst, [&](int64_t n, int64_t c, int64_t oy, int64_t ox) {
    double best = takes_zero(src, o, oy, ox) ? 0 : -std::numeric_limits<double>::infinity();
    for_window(src, o, oy, ox, [&](int64_t y, int64_t x) {
      const double pixel = src.at(n, c, y, x);
      if (pixel > best || std::isnan(pixel)) best = pixel;
    });
    dst.at(n, c, oy, ox) = best;
  });
  return dst;
}

Array max_pool2d_backward(const Array& src, const Pool2dOptions& o, const Array& dy) {
  require_shape("max_pool2d_backward", "dy", dy, dst_shape(src, o));
  Array dx(src.shape);
  for_each(dy, [&](int64_t n, int64_t c, int64_t oy, int64_t ox) {
    double best = 0;
    double* where = nullptr;
    const bool zero = takes_zero(src, o, oy, ox);
    for_window(src, o, oy, ox, [&](int64_t y, int64_t x) {
      const double pixel = src.at(n, c, y, x);
      if ((where || zero) && !(pixel > best) && !std::isnan(pixel)) return;
      best = pixel;
      where = &dx.at(n, c, y, x);
    });
    if (where) *where += dy.at(n, c, oy, ox);
  });
  return dx;
}

Array avg_pool2d(const Array& src, const Pool2dOptions& o) {
  Array dst(dst_shape(src, o));
  for_each(dst, [&](int64_t n, int64_t c, int64_t oy, int64_t ox) {
    const Sum sum = window_sum(src, o, n, c, oy, ox);
    dst.at(n, c, oy, ox) = sum.value / sum.divisor;
  });
  return dst;
}

Array avg_pool2d_backward(const Array& src, const Pool2dOptions& o, const Array& dy) {
  require_shape("avg_pool2d_backward", "dy", dy, dst_shape(src, o));
  Array dx(src.shape);
  for_each(dy, [&](int64_t n, int64_t c, int64_t oy, int64_t ox) {
    const double share = dy.at(n, c, oy, ox) / window_sum(src, o, n, c, oy, ox).divisor;
    for_window(src, o, oy, ox, [&](int64_t y, int64_t x) { dx.at(n, c, y, x) += share; });
  });
  return dx;
}

Array adaptive_avg_pool2d(const Array& src, Size2 output) {
  Array dst(adaptive_shape(src, output));
  for_each(dst, [&](int64_t n, int64_t c, int64_t oy, int64_t ox) {
    const Window w = adaptive_window(src, output, oy, ox);
    double sum = 0;
    for (int64_t y = w.y0; y < w.y1; ++y)
      for (int64_t x = w.x0; x < w.x1; ++x) sum += src.at(n, c, y, x);
    dst.at(n, c, oy, ox) = sum / w.pixels();
  });
  return dst;
}

Array adaptive_avg_pool2d_backward(const Array& src, Size2 output, const Array& dy) {
  require_shape("adaptive_avg_pool2d_backward", "dy", dy, adaptive_shape(src, output));
  Array dx(src.shape);
  for_each(dy, [&](int64_t n, int64_t c, int64_t oy, int64_t ox) {
    const Window w = adaptive_window(src, output, oy, ox);
    const double share = dy.at(n, c, oy, ox) / w.pixels();
    for (int64_t y = w.y0; y < w.y1; ++y)
      for (int64_t x = w.x0; x < w.x1; ++x) dx.at(n, c, y, x) += share;
  });
  return dx;
}

Array global_avg_pool(const Array& src) {
  Array dst = adaptive_avg_pool2d(src, 1);
  dst.shape.resize(2);
  return dst;
}

Array global_avg_pool_backward(const Array& src, const Array& dy) {
  require_images("global_avg_pool_backward", src);
  require_shape("global_avg_pool_backward", "dy", dy, {src.shape[0], src.shape[1]});
  Array pixel = dy;
  pixel.shape = {dy.shape[0], dy.shape[1], 1, 1};
  return adaptive_avg_pool2d_backward(src, 1, pixel);
}

}  // namespace limbic::reference
