#include "limbic/nn/ops/pool2d.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "limbic/core/parallel.h"
#include "limbic/core/simd.h"
#include "limbic/nn/ops/elementwise.h"

namespace limbic {
namespace {

int64_t pooled(int64_t size, int64_t begin, int64_t end, int64_t kernel, int64_t stride,
               bool ceil_mode) {
  const int64_t free = size + begin + end - kernel;
  // What a window may hang over the end, in ceil mode also the first.
  const int64_t over = ceil_mode ? stride - 1 : 0;
  require(free + over >= 0, "a window of ", kernel, " does not fit into ", size, " pixels");
  const int64_t out = (free + over) / stride + 1;
  return ceil_mode && (out - 1) * stride >= size + begin ? out - 1 : out;
}

/// One output position: the input window clipped to the picture, and the average's divisor.
struct Window {
  int64_t y0, y1, x0, x1;
  float divisor;
  bool zero = false;  // a padding of 0 is among what the largest is taken of
};

struct Geometry {
  int64_t images, channels, height, width, out_height, out_width;
  std::vector<Window> windows;  // out_height * out_width
  // Which windows cover pixel p: covering[covering_begin[p] .. covering_begin[p + 1]).
  std::vector<int32_t> covering, covering_begin;

  Geometry(const Shape& src, const Shape& dst)
      : images(src[0]),
        channels(src[1]),
        height(src[2]),
        width(src[3]),
        out_height(dst.size() == 4 ? dst[2] : 1),
        out_width(dst.size() == 4 ? dst[3] : 1) {}

  void find_covering() {
    std::vector<std::vector<int32_t>> of(static_cast<size_t>(height * width));
    for (size_t i = 0; i < windows.size(); ++i)
      for (int64_t y = windows[i].y0; y < windows[i].y1; ++y)
        for (int64_t x = windows[i].x0; x < windows[i].x1; ++x)
          of[static_cast<size_t>(y * width + x)].push_back(static_cast<int32_t>(i));
    covering_begin = {0};
    for (const auto& list : of) {
      covering.insert(covering.end(), list.begin(), list.end());
      covering_begin.push_back(static_cast<int32_t>(covering.size()));
    }
  }

  std::span<const int32_t> covering_of(int64_t pixel) const {
    const auto p = static_cast<size_t>(pixel);
    return {covering.begin() + covering_begin[p], covering.begin() + covering_begin[p + 1]};
  }

  template <class T>
  T* pixel(T* base, int64_t n, int64_t y, int64_t x) const {
    return base + ((n * height + y) * width + x) * channels;
  }
};

Geometry sliding(const Shape& src, const Shape& dst, const Pool2dOptions& o) {
  Geometry g(src, dst);
  for (int64_t oy = 0; oy < g.out_height; ++oy)
    for (int64_t ox = 0; ox < g.out_width; ++ox) {
      const int64_t y = oy * o.stride.h - o.padding.top, x = ox * o.stride.w - o.padding.left;
      const int64_t y_end = std::min(y + o.kernel_size.h, g.height + o.padding.bottom);
      const int64_t x_end = std::min(x + o.kernel_size.w, g.width + o.padding.right);
      Window w{std::max<int64_t>(y, 0), std::min(y_end, g.height), std::max<int64_t>(x, 0),
               std::min(x_end, g.width), 1};
      const int64_t inside = (w.y1 - w.y0) * (w.x1 - w.x0);
      w.divisor = static_cast<float>(o.count_include_pad ? (y_end - y) * (x_end - x) : inside);
      w.zero = o.zero_padding && inside < (y_end - y) * (x_end - x);
      g.windows.push_back(w);
    }
  return g;
}

Geometry adaptive(const Shape& src, const Shape& dst) {
  Geometry g(src, dst);
  for (int64_t oy = 0; oy < g.out_height; ++oy)
    for (int64_t ox = 0; ox < g.out_width; ++ox) {
      Window w{oy * g.height / g.out_height,
               ((oy + 1) * g.height + g.out_height - 1) / g.out_height, ox * g.width / g.out_width,
               ((ox + 1) * g.width + g.out_width - 1) / g.out_width, 1};
      w.divisor = static_cast<float>((w.y1 - w.y0) * (w.x1 - w.x0));
      g.windows.push_back(w);
    }
  return g;
}

// A NaN counts as larger than all: a comparison alone would let it vanish.
[[gnu::always_inline]] inline bool exceeds(float v, float best) { return v > best || v != v; }

// Takes over x where it is larger, and the window's element it is.
template <class T>
LIMBIC_MULTIVERSION void update_max(const T* __restrict x, float* __restrict best,
                                    int32_t* __restrict where, int32_t element, int64_t n) {
  for (int64_t c = 0; c < n; ++c) {
    const float v = to_f32(x[c]);
    const bool larger = exceeds(v, best[c]);
    where[c] = larger ? element : where[c];
    best[c] = larger ? v : best[c];
  }
}

[[gnu::always_inline]] inline float larger_of(float best, float v) {
  return exceeds(v, best) ? v : best;
}

// Over pixels that lie `step` elements apart: three at once, so that best is read and written less.
template <class T>
LIMBIC_MULTIVERSION void update_max(const T* __restrict x, int64_t pixels, int64_t step,
                                    float* __restrict best, int64_t n) {
  for (; pixels >= 3; pixels -= 3, x += 3 * step)
    for (int64_t c = 0; c < n; ++c)
      best[c] = larger_of(larger_of(larger_of(best[c], to_f32(x[c])), to_f32(x[step + c])),
                          to_f32(x[2 * step + c]));
  for (; pixels > 0; --pixels, x += step)
    for (int64_t c = 0; c < n; ++c) best[c] = larger_of(best[c], to_f32(x[c]));
}

template <class T>
LIMBIC_MULTIVERSION void accumulate(const T* __restrict x, float* __restrict y, float scale,
                                    int64_t n) {
  for (int64_t c = 0; c < n; ++c) y[c] += scale * to_f32(x[c]);
}

// y += dy where the window's largest element was this one.
template <class T>
LIMBIC_MULTIVERSION void accumulate_where(const T* __restrict dy, const uint16_t* __restrict where,
                                          uint16_t element, float* __restrict y, int64_t n) {
  for (int64_t c = 0; c < n; ++c) y[c] += where[c] == element ? to_f32(dy[c]) : 0.0f;
}

LIMBIC_MULTIVERSION void narrow(const int32_t* __restrict from, uint16_t* __restrict to,
                                int64_t n) {
  for (int64_t c = 0; c < n; ++c) to[c] = static_cast<uint16_t>(from[c]);
}

template <class T>
LIMBIC_MULTIVERSION void scale_to(const float* __restrict x, T* __restrict y, float scale,
                                  int64_t n) {
  for (int64_t c = 0; c < n; ++c) y[c] = from_f32<T>(x[c] * scale);
}

// Channels summed at once, in f32 on the stack.
constexpr int64_t channel_block = 512;

// sum(c0, n, acc) fills acc[0..n) for the channels from c0 on; they are written to out, scaled.
template <class T, class Sum>
void write_sums(T* out, int64_t channels, float scale, const Sum& sum) {
  float acc[channel_block];
  for (int64_t c = 0; c < channels; c += channel_block) {
    const int64_t n = std::min(channel_block, channels - c);
    std::fill(acc, acc + n, 0.0f);
    sum(c, n, acc);
    scale_to(acc, out + c, scale, n);
  }
}

// From elements of type T to To; both are the same but where 8-bit values are read or written.
template <class T, class To>
class MaxPoolKernel : public Kernel {
 public:
  MaxPoolKernel(Geometry g, KernelBuilder& b)
      : g_(std::move(g)), scale_(b.src_scales[0] / b.scale) {
    if (!b.gradients) return;
    where_ = b.saved(onednn::bytes(count(b.dst_shape) * 2));
    for (const Window& w : g_.windows)
      require((w.y1 - w.y0) * (w.x1 - w.x0) <= nowhere,
              "a pooling window of more than 65535 pixels");
    g_.find_covering();
  }
  void forward(const Buffers& b) const override {
    const auto outputs = static_cast<int64_t>(g_.windows.size());
    parallel_for(g_.images * outputs, [&](int64_t i) {
      for (int64_t c = 0; c < g_.channels; c += channel_block)
        pool(b, i / outputs, i % outputs, c, std::min(channel_block, g_.channels - c));
    });
  }
  void backward(const Buffers& b) const override {
    const auto outputs = static_cast<int64_t>(g_.windows.size());
    const auto* where = b.at(where_).template as<uint16_t>();
    const int64_t pixels = g_.height * g_.width;
    parallel_for(g_.images * pixels, [&](int64_t i) {
      const int64_t n = i / pixels, y = i % pixels / g_.width, x = i % g_.width;
      write_sums(b.diff_src[0].template as<T>() + i * g_.channels, g_.channels, 1.0f,
                 [&](int64_t c, int64_t width, float* acc) {
                   for (int32_t k : g_.covering_of(i % pixels)) {
                     const Window& w = g_.windows[static_cast<size_t>(k)];
                     const int64_t o = (n * outputs + k) * g_.channels + c;
                     const int64_t element = (y - w.y0) * (w.x1 - w.x0) + x - w.x0;
                     accumulate_where(b.diff_dst.template as<T>() + o, where + o,
                                      static_cast<uint16_t>(element), acc, width);
                   }
                 });
    });
  }
  bool backward_reads_src() const override { return false; }

 private:
  // Channels [c, c + width) of output o of image n.
  void pool(const Buffers& b, int64_t n, int64_t o, int64_t c, int64_t width) const {
    const Window& w = g_.windows[static_cast<size_t>(o)];
    const int64_t at = (n * static_cast<int64_t>(g_.windows.size()) + o) * g_.channels + c;
    float best[channel_block];
    int32_t element[channel_block];
    std::fill(best, best + width, w.zero ? 0.0f : -std::numeric_limits<float>::infinity());
    std::fill(element, element + width, w.zero ? nowhere : 0);
    int32_t number = 0;
    for (int64_t y = w.y0; y < w.y1; ++y) {
      const T* in = g_.pixel(b.src[0].template as<T>(), n, y, w.x0) + c;
      if (where_ < 0) {
        update_max(in, w.x1 - w.x0, g_.channels, best, width);
        continue;
      }
      for (int64_t x = w.x0; x < w.x1; ++x, ++number, in += g_.channels)
        update_max(in, best, element, number, width);
    }
    scale_to(best, b.dst.template as<To>() + at, scale_, width);
    if (where_ >= 0) narrow(element, b.at(where_).template as<uint16_t>() + at, width);
  }

  static constexpr int32_t nowhere = 65535;  // of the window's pixels

  Geometry g_;
  float scale_;
  int where_ = -1;
};

// From elements of type From to To: a global pool's (N,C) output is f32.
template <class From, class To>
class AveragePoolKernel : public Kernel {
 public:
  AveragePoolKernel(Geometry g, const KernelBuilder& b)
      : g_(std::move(g)), scale_(b.src_scales[0] / b.scale) {
    if (b.gradients) g_.find_covering();
  }
  void forward(const Buffers& b) const override {
    const auto outputs = static_cast<int64_t>(g_.windows.size());
    parallel_for(g_.images * outputs, [&](int64_t i) {
      const Window& w = g_.windows[static_cast<size_t>(i % outputs)];
      write_sums(b.dst.as<To>() + i * g_.channels, g_.channels, scale_ / w.divisor,
                 [&](int64_t c, int64_t width, float* acc) {
                   for (int64_t y = w.y0; y < w.y1; ++y)
                     for (int64_t x = w.x0; x < w.x1; ++x)
                       accumulate(g_.pixel(b.src[0].as<From>(), i / outputs, y, x) + c, acc, 1.0f,
                                  width);
                 });
    });
  }
  void backward(const Buffers& b) const override {
    const auto outputs = static_cast<int64_t>(g_.windows.size());
    const int64_t pixels = g_.height * g_.width;
    parallel_for(g_.images * pixels, [&](int64_t i) {
      const int64_t n = i / pixels;
      write_sums(b.diff_src[0].as<From>() + i * g_.channels, g_.channels, 1.0f,
                 [&](int64_t c, int64_t width, float* acc) {
                   for (int32_t w : g_.covering_of(i % pixels))
                     accumulate(b.diff_dst.as<To>() + (n * outputs + w) * g_.channels + c, acc,
                                1 / g_.windows[static_cast<size_t>(w)].divisor, width);
                 });
    });
  }
  bool backward_reads_src() const override { return false; }

 private:
  Geometry g_;
  float scale_;
};

std::unique_ptr<Kernel> average_pool(Geometry g, const KernelBuilder& b) {
  return with_stored_element(b.src_dtypes[0], [&]<class From>(From) {
    return with_element(b.dtype, [&]<class To>(To) -> std::unique_ptr<Kernel> {
      return std::make_unique<AveragePoolKernel<From, To>>(std::move(g), b);
    });
  });
}

std::unique_ptr<Kernel> max_pool(Geometry g, KernelBuilder& b) {
  return with_stored_element(b.src_dtypes[0], [&]<class From>(From) {
    return with_stored_element(b.dtype, [&]<class To>(To) -> std::unique_ptr<Kernel> {
      return std::make_unique<MaxPoolKernel<From, To>>(std::move(g), b);
    });
  });
}

void require_image(const Shape& src) {
  require(src.size() == 4, "expected src (N,C,H,W), got ", to_string(src));
}

Value append_pool(Value src, const char* suffix, std::shared_ptr<const Op> op, int64_t positions) {
  const Node& node = src.graph->node(src.node);
  return src.graph->append({.name = node.name + suffix,
                            .op = std::move(op),
                            .src = {src},
                            .channels = node.channels,
                            .positions = positions});
}

}  // namespace

Shape Pool2d::infer(std::span<const Shape> src) const {
  require_image(src[0]);
  const auto& [kernel, stride, padding, ceil_mode, include, zero] = options_;
  require(2 * std::max(padding.top, padding.bottom) <= kernel.h &&
              2 * std::max(padding.left, padding.right) <= kernel.w,
          "pooling padding must be at most half the kernel");
  return {src[0][0], src[0][1],
          pooled(src[0][2], padding.top, padding.bottom, kernel.h, stride.h, ceil_mode),
          pooled(src[0][3], padding.left, padding.right, kernel.w, stride.w, ceil_mode)};
}

std::unique_ptr<Kernel> Pool2d::compile(KernelBuilder& builder) const {
  Geometry g = sliding(builder.src_shapes[0], builder.dst_shape, options_);
  if (kind_ == Kind::max) return max_pool(std::move(g), builder);
  return average_pool(std::move(g), builder);
}

Shape AdaptiveAvgPool2d::infer(std::span<const Shape> src) const {
  require_image(src[0]);
  return {src[0][0], src[0][1], output_.h, output_.w};
}

std::unique_ptr<Kernel> AdaptiveAvgPool2d::compile(KernelBuilder& builder) const {
  return average_pool(adaptive(builder.src_shapes[0], builder.dst_shape), builder);
}

Shape GlobalAvgPool::infer(std::span<const Shape> src) const {
  require_image(src[0]);
  return {src[0][0], src[0][1]};
}

std::unique_ptr<Kernel> GlobalAvgPool::compile(KernelBuilder& builder) const {
  return average_pool(adaptive(builder.src_shapes[0], builder.dst_shape), builder);
}

Value max_pool2d(Value src, const Pool2dOptions& options) {
  return append_pool(src, ".max_pool", std::make_shared<Pool2d>(Pool2d::Kind::max, options), 0);
}
Value avg_pool2d(Value src, const Pool2dOptions& options) {
  return append_pool(src, ".avg_pool", std::make_shared<Pool2d>(Pool2d::Kind::average, options), 0);
}
Value adaptive_avg_pool2d(Value src, Size2 output) {
  return append_pool(src, ".adaptive_avg_pool", std::make_shared<AdaptiveAvgPool2d>(output),
                     output.h * output.w);
}
Value global_avg_pool(Value src) {
  return append_pool(src, ".global_avg_pool", std::make_shared<GlobalAvgPool>(), 1);
}

}  // namespace limbic
