#include "nn/winograd/transforms.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nn/winograd/transforms.cpp"
// This file is compiled once for each instruction set, by the next line (Highway's
// foreach_target.h).
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "nn/winograd/algorithms-inl.h"

HWY_BEFORE_NAMESPACE();
namespace limbic::winograd {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Channels in [begin, end) a vector at a time, then half vectors down to one: a load never reads
// past a pixel's last channel, and no instruction set needs masks.
template <size_t lanes, class Body>
HWY_INLINE void for_each_vector(Range channels, const Body& body) {
  const hn::CappedTag<float, lanes> d;
  int64_t c = channels.begin;
  for (; c + static_cast<int64_t>(lanes) <= channels.end; c += lanes) body(d, c);
  if constexpr (lanes > 1)
    if (c < channels.end) for_each_vector<lanes / 2>({c, channels.end}, body);
}

constexpr size_t max_lanes = hn::MaxLanes(hn::ScalableTag<float>());

// Where a tile lies: image n, row ty and column tx of tiles.
struct TilePosition {
  int64_t n, ty, tx;
  TilePosition(const TiledImages& images, int64_t tile)
      : n(tile / (images.tiles_h * images.tiles_w)),
        ty(tile / images.tiles_w % images.tiles_h),
        tx(tile % images.tiles_w) {}
  void next(const TiledImages& images) {
    if (++tx < images.tiles_w) return;
    tx = 0;
    if (++ty < images.tiles_h) return;
    ty = 0;
    ++n;
  }
};

// V = B^T d B; pixel(i, j) is where the window's pixel lies.
template <int m, class Pixel>
HWY_INLINE void transform_window(Range channels, const Pixel& pixel, float* dst, int64_t plane) {
  constexpr int n = m + 2;
  for_each_vector<max_lanes>(channels, [&](auto d, int64_t c) HWY_ATTR {
    using V = hn::Vec<decltype(d)>;
    V half[n][n];
    for (int i = 0; i < n; ++i) {
      V row[n];
      for (int j = 0; j < n; ++j) row[j] = hn::LoadU(d, pixel(i, j) + c);
      Algorithm<m>::input(d, row, half[i]);
    }
    for (int j = 0; j < n; ++j) {
      V column[n], out[n];
      for (int i = 0; i < n; ++i) column[i] = half[i][j];
      Algorithm<m>::input(d, column, out);
      for (int i = 0; i < n; ++i) hn::StoreU(out[i], d, dst + (i * n + j) * plane + c);
    }
  });
}

template <int m>
void transform_input_tiles(const InputTransform& t) {
  constexpr int n = m + 2;
  const TiledImages& g = t.images;
  TilePosition position(g, t.tiles.begin);
  for (int64_t tile = t.tiles.begin; tile < t.tiles.end; ++tile, position.next(g)) {
    const int64_t y = position.ty * m - g.top, x = position.tx * m - g.left;
    const float* window = t.src + ((position.n * g.h + y) * g.w + x) * g.pitch;
    float* dst = t.dst.data + (tile - t.tiles.begin) * t.dst.stride - t.channels.begin;
    const int64_t row = g.w * g.pitch, pitch = g.pitch;
    if (y >= 0 && x >= 0 && y + n <= g.h && x + n <= g.w) {
      transform_window<m>(
          t.channels, [=](int i, int j) HWY_ATTR { return window + i * row + j * pitch; }, dst,
          t.dst.plane);
      continue;
    }
    const float* pixels[n][n];
    for (int i = 0; i < n; ++i)
      for (int j = 0; j < n; ++j) {
        const bool inside = y + i >= 0 && y + i < g.h && x + j >= 0 && x + j < g.w;
        pixels[i][j] = inside ? window + i * row + j * pitch : t.zeros;
      }
    transform_window<m>(
        t.channels, [&](int i, int j) HWY_ATTR { return pixels[i][j]; }, dst, t.dst.plane);
  }
}

template <int m>
void transform_weight_block(const WeightTransform& t) {
  constexpr int n = m + 2;
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  constexpr auto lanes = static_cast<int64_t>(max_lanes);
  for (int64_t v = t.vectors.begin; v < t.vectors.end; ++v) {
    const int64_t in_block = v - t.vectors.begin, first_of_panel = in_block & ~int64_t{1};
    const int64_t width = std::min<int64_t>(2, t.vectors.size() - first_of_panel) * lanes;
    float* panel = t.dst + first_of_panel * lanes * t.inner + (in_block & 1) * lanes;
    for (int64_t k = t.in.begin; k < t.in.end; ++k) {
      const float* g = t.packed + (v * t.in_channels + k) * 9 * lanes;
      float* dst = panel + (k - t.first_row) * width;
      V half[n][3];
      for (int j = 0; j < 3; ++j) {
        V column[3], out[n];
        for (int i = 0; i < 3; ++i) column[i] = hn::LoadU(d, g + (i * 3 + j) * lanes);
        Algorithm<m>::weights(d, column, out);
        for (int i = 0; i < n; ++i) half[i][j] = out[i];
      }
      for (int i = 0; i < n; ++i) {
        V out[n];
        Algorithm<m>::weights(d, half[i], out);
        for (int j = 0; j < n; ++j) hn::StoreU(out[j], d, dst + (i * n + j) * t.plane);
      }
    }
  }
}

// One output tile, of which rows x cols pixels lie in the image.
template <int m, bool whole, bool add>
HWY_INLINE void transform_output_tile(const OutputTransform& t, const float* src, int64_t offset,
                                      int64_t rows, int64_t cols) {
  constexpr int n = m + 2;
  const TiledImages& g = t.images;
  const float floor = t.relu ? 0.0f : -HUGE_VALF;
  for_each_vector<max_lanes>(t.channels, [&](auto d, int64_t c) HWY_ATTR {
    using V = hn::Vec<decltype(d)>;
    V half[n][m];
    const float* p = src + (c - t.channels.begin);
    for (int i = 0; i < n; ++i) {
      V row[n];
      for (int j = 0; j < n; ++j) row[j] = hn::LoadU(d, p + (i * n + j) * t.src.plane);
      Algorithm<m>::output(d, row, half[i]);
    }
    const V bias = t.bias ? hn::LoadU(d, t.bias + c) : hn::Zero(d);
    const V lowest = hn::Set(d, floor);
    for (int j = 0; j < m; ++j) {
      if (!whole && j >= cols) break;
      V column[n], out[m];
      for (int i = 0; i < n; ++i) column[i] = half[i][j];
      Algorithm<m>::output(d, column, out);
      for (int i = 0; i < m; ++i) {
        if (!whole && i >= rows) break;
        const int64_t at = offset + (i * g.w + j) * g.pitch + c;
        V value = hn::Add(out[i], bias);
        if (add) value = hn::Add(value, hn::LoadU(d, t.add + at));
        value = hn::IfThenZeroElse(hn::Lt(value, lowest), value);  // keeps NaN, as Max would not
        hn::StoreU(value, d, t.dst + at);
      }
    }
  });
}

template <int m, bool add>
void transform_output_tiles(const OutputTransform& t) {
  const TiledImages& g = t.images;
  TilePosition position(g, t.tiles.begin);
  for (int64_t tile = t.tiles.begin; tile < t.tiles.end; ++tile, position.next(g)) {
    const float* src = t.src.data + (tile - t.tiles.begin) * t.src.stride;
    const int64_t y = position.ty * m, x = position.tx * m;
    const int64_t offset = ((position.n * g.h + y) * g.w + x) * g.pitch;
    if (y + m <= g.h && x + m <= g.w)
      transform_output_tile<m, true, add>(t, src, offset, m, m);
    else
      transform_output_tile<m, false, add>(t, src, offset, g.h - y, g.w - x);
  }
}

void input_here(int m, const InputTransform& t) {
  m == 2 ? transform_input_tiles<2>(t) : transform_input_tiles<4>(t);
}
void weights_here(int m, const WeightTransform& t) {
  m == 2 ? transform_weight_block<2>(t) : transform_weight_block<4>(t);
}
void output_here(int m, const OutputTransform& t) {
  if (t.add)
    m == 2 ? transform_output_tiles<2, true>(t) : transform_output_tiles<4, true>(t);
  else
    m == 2 ? transform_output_tiles<2, false>(t) : transform_output_tiles<4, false>(t);
}

}  // namespace HWY_NAMESPACE
}  // namespace limbic::winograd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace limbic::winograd {

HWY_EXPORT(input_here);
HWY_EXPORT(weights_here);
HWY_EXPORT(output_here);

void transform_input(int m, const InputTransform& t) { HWY_DYNAMIC_DISPATCH(input_here)(m, t); }
void transform_weights(int m, const WeightTransform& t) {
  HWY_DYNAMIC_DISPATCH(weights_here)(m, t);
}
void transform_output(int m, const OutputTransform& t) { HWY_DYNAMIC_DISPATCH(output_here)(m, t); }

}  // namespace limbic::winograd
#endif
