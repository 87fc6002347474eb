#include "limbic/nn/cpu/winograd/transforms.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "limbic/nn/cpu/winograd/transforms.cpp"
// This file is compiled once for each instruction set, by the next line (Highway's
// foreach_target.h).
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>

#include "limbic/nn/cpu/winograd/algorithms-inl.h"

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

// The loops over a tile are unrolled, so that its elements stay in registers.
#define LIMBIC_UNROLL HWY_UNROLL(6)

// Rows `part` of V = B^T d B of one vector of channels.
template <int m, int part = 0, class D>
HWY_INLINE void transform_window(D d, const float* const (&pixels)[m + 2][m + 2], int64_t c,
                                 float* dst, int64_t plane) {
  constexpr int n = m + 2;
  using V = hn::Vec<D>;
  V half[2][n];
  LIMBIC_UNROLL for (int j = 0; j < n; ++j) {
    V column[n], two[2];
    LIMBIC_UNROLL for (int i = 0; i < n; ++i) column[i] = hn::LoadU(d, pixels[i][j] + c);
    Algorithm<m>::template input_part<part>(d, column, two);
    half[0][j] = two[0];
    half[1][j] = two[1];
  }
  LIMBIC_UNROLL for (int i = 0; i < 2; ++i) {
    V out[n];
    input_1d<m>(d, half[i], out);
    float* to = dst + Algorithm<m>::input_rows[part][i] * n * plane + c;
    LIMBIC_UNROLL for (int j = 0; j < n; ++j, to += plane) hn::StoreU(out[j], d, to);
  }
  if constexpr (part + 1 < Algorithm<m>::input_parts)
    transform_window<m, part + 1>(d, pixels, c, dst, plane);
}

// Rows `part` of Y = A y A^T of one vector of channels.
template <int part = 0, class D>
HWY_INLINE void transform_gradient_tile(D d, const float* const (&pixels)[4][4], int64_t c,
                                        float* dst, int64_t plane) {
  using V = hn::Vec<D>;
  V half[2][4];
  LIMBIC_UNROLL for (int j = 0; j < 4; ++j) {
    V column[4], two[2];
    LIMBIC_UNROLL for (int i = 0; i < 4; ++i) column[i] = hn::LoadU(d, pixels[i][j] + c);
    Algorithm<4>::output_gradient_part<part>(d, column, two);
    half[0][j] = two[0];
    half[1][j] = two[1];
  }
  LIMBIC_UNROLL for (int i = 0; i < 2; ++i) {
    V out[6];
    output_gradient_1d(d, half[i], out);
    float* to = dst + Algorithm<4>::input_rows[part][i] * 6 * plane + c;
    LIMBIC_UNROLL for (int j = 0; j < 6; ++j, to += plane) hn::StoreU(out[j], d, to);
  }
  if constexpr (part + 1 < Algorithm<4>::input_parts)
    transform_gradient_tile<part + 1>(d, pixels, c, dst, plane);
}

// Windows of n x n pixels: m + 2 of the input, or m of the output's gradient.
template <int m, int n>
HWY_NOINLINE void transform_channels(const float* const (&pixels)[n][n], Range channels, float* dst,
                                     int64_t plane) {
  for_each_vector<max_lanes>(channels, [&](auto d, int64_t c) HWY_ATTR {
    if constexpr (n == m)
      transform_gradient_tile(d, pixels, c, dst, plane);
    else
      transform_window<m>(d, pixels, c, dst, plane);
  });
}

template <int m, int n>
void transform_windows(const InputTransform& t) {
  const TiledImages& g = t.images;
  TilePosition position(g, t.tiles.begin);
  for (int64_t tile = t.tiles.begin; tile < t.tiles.end; ++tile, position.next(g)) {
    const int64_t y = position.ty * m - g.top, x = position.tx * m - g.left;
    const float* pixels[n][n];
    if (y >= 0 && x >= 0 && y + n <= g.h && x + n <= g.w) {
      const float* window = t.src + ((position.n * g.h + y) * g.w + x) * g.pitch;
      for (int i = 0; i < n; ++i)
        for (int j = 0; j < n; ++j) pixels[i][j] = window + (i * g.w + j) * g.pitch;
    } else {
      for (int i = 0; i < n; ++i)
        for (int j = 0; j < n; ++j) {
          const bool inside = y + i >= 0 && y + i < g.h && x + j >= 0 && x + j < g.w;
          const int64_t pixel = (position.n * g.h + y + i) * g.w + x + j;
          pixels[i][j] = inside ? t.src + pixel * g.pitch : t.zeros;
        }
    }
    transform_channels<m, n>(pixels, t.channels,
                             t.dst.data + (tile - t.tiles.begin) * t.dst.stride - t.channels.begin,
                             t.dst.plane);
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
    float* panel = t.dst + first_of_panel * lanes * t.in.size() + (in_block & 1) * lanes;
    for (int64_t k = t.in.begin; k < t.in.end; ++k) {
      const float* g = t.packed + (v * t.in_channels + k) * 9 * lanes;
      float* dst = panel + (k - t.in.begin) * width;
      V half[n][3];
      LIMBIC_UNROLL for (int j = 0; j < 3; ++j) {
        V column[3], out[n];
        LIMBIC_UNROLL for (int i = 0; i < 3; ++i) column[i] = hn::LoadU(d, g + (i * 3 + j) * lanes);
        Algorithm<m>::weights(d, column, out);
        LIMBIC_UNROLL for (int i = 0; i < n; ++i) half[i][j] = out[i];
      }
      LIMBIC_UNROLL for (int i = 0; i < n; ++i) {
        V out[n];
        Algorithm<m>::weights(d, half[i], out);
        LIMBIC_UNROLL for (int j = 0; j < n; ++j, dst += t.plane) hn::StoreU(out[j], d, dst);
      }
    }
  }
}

// Where one tile of the output lies, and how much of it is in the image.
struct OutputTile {
  const float* src;
  int64_t at, rows, cols;
};

// Rows `part` of relu(A^T M A + bias + add) of one vector of channels.
template <int m, bool whole, bool add, int part = 0, class D>
HWY_INLINE void transform_product(D d, const OutputTransform& t, const OutputTile& tile,
                                  int64_t c) {
  constexpr int n = m + 2;
  using V = hn::Vec<D>;
  V half[2][n];
  const float* src = tile.src + (c - t.channels.begin);
  LIMBIC_UNROLL for (int j = 0; j < n; ++j, src += t.src.plane) {
    V column[n], two[2];
    const float* from = src;
    LIMBIC_UNROLL for (int i = 0; i < n; ++i, from += n * t.src.plane) column[i] =
        hn::LoadU(d, from);
    Algorithm<m>::template output_part<part>(d, column, two);
    half[0][j] = two[0];
    half[1][j] = two[1];
  }
  const V bias = t.bias ? hn::LoadU(d, t.bias + c) : hn::Zero(d);
  const V lowest = hn::Set(d, t.relu ? 0.0f : -HUGE_VALF);
  LIMBIC_UNROLL for (int i = 0; i < 2; ++i) {
    V out[m];
    output_1d<m>(d, half[i], out);
    const int64_t row = Algorithm<m>::output_rows[part][i];
    int64_t pixel = tile.at + row * t.images.w * t.images.pitch + c;
    LIMBIC_UNROLL for (int j = 0; j < m; ++j, pixel += t.images.pitch) {
      if (whole || (row < tile.rows && j < tile.cols)) {
        V value = hn::Add(out[j], bias);
        if (add) value = hn::Add(value, hn::LoadU(d, t.add + pixel));
        value = hn::IfThenZeroElse(hn::Lt(value, lowest), value);  // keeps NaN, as Max would not
        hn::StoreU(value, d, t.dst + pixel);
      }
    }
  }
  if constexpr (part + 1 < Algorithm<m>::output_parts)
    transform_product<m, whole, add, part + 1>(d, t, tile, c);
}

template <int m, bool whole, bool add>
HWY_NOINLINE void transform_output_tile(const OutputTransform& t, const OutputTile& tile) {
  for_each_vector<max_lanes>(t.channels, [&](auto d, int64_t c) HWY_ATTR {
    transform_product<m, whole, add>(d, t, tile, c);
  });
}

template <int m, bool add>
void transform_output_tiles(const OutputTransform& t) {
  const TiledImages& g = t.images;
  TilePosition position(g, t.tiles.begin);
  for (int64_t tile = t.tiles.begin; tile < t.tiles.end; ++tile, position.next(g)) {
    const float* src = t.src.data + (tile - t.tiles.begin) * t.src.stride;
    const int64_t y = position.ty * m, x = position.tx * m;
    const OutputTile out = {src, ((position.n * g.h + y) * g.w + x) * g.pitch, g.h - y, g.w - x};
    if (out.rows >= m && out.cols >= m)
      transform_output_tile<m, true, add>(t, out);
    else
      transform_output_tile<m, false, add>(t, out);
  }
}

// G^T M G of one vector of output channels.
template <bool accumulate, class D>
HWY_INLINE void transform_block_back(D d, const float* src, int64_t plane, float* dst,
                                     int64_t tap) {
  using V = hn::Vec<D>;
  V half[3][6];
  LIMBIC_UNROLL for (int j = 0; j < 6; ++j, src += plane) {
    V column[6], out[3];
    LIMBIC_UNROLL for (int i = 0; i < 6; ++i) column[i] = hn::LoadU(d, src + i * 6 * plane);
    Algorithm<4>::weight_gradient(d, column, out);
    LIMBIC_UNROLL for (int i = 0; i < 3; ++i) half[i][j] = out[i];
  }
  LIMBIC_UNROLL for (int i = 0; i < 3; ++i) {
    V out[3];
    Algorithm<4>::weight_gradient(d, half[i], out);
    LIMBIC_UNROLL for (int j = 0; j < 3; ++j, dst += tap)
        hn::StoreU(accumulate ? hn::Add(hn::LoadU(d, dst), out[j]) : out[j], d, dst);
  }
}

template <bool accumulate>
void transform_weight_gradient_block(const WeightGradientTransform& t) {
  const int64_t tap = t.in_channels * t.out_channels;
  for (int64_t k = t.in.begin; k < t.in.end; ++k) {
    const float* src = t.src.data + (k - t.in.begin) * t.src.stride - t.out.begin;
    float* dst = t.dst + k * t.out_channels;
    for_each_vector<max_lanes>(t.out, [&](auto d, int64_t c) HWY_ATTR {
      transform_block_back<accumulate>(d, src + c, t.src.plane, dst + c, tap);
    });
  }
}

void input_here(int m, const InputTransform& t) {
  m == 2 ? transform_windows<2, 4>(t) : transform_windows<4, 6>(t);
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
void output_gradient_here(const InputTransform& t) { transform_windows<4, 4>(t); }
void weight_gradient_here(const WeightGradientTransform& t) {
  t.accumulate ? transform_weight_gradient_block<true>(t)
               : transform_weight_gradient_block<false>(t);
}

}  // namespace HWY_NAMESPACE
}  // namespace limbic::winograd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace limbic::winograd {

HWY_EXPORT(input_here);
HWY_EXPORT(weights_here);
HWY_EXPORT(output_here);
HWY_EXPORT(output_gradient_here);
HWY_EXPORT(weight_gradient_here);

void transform_input(int m, const InputTransform& t) { HWY_DYNAMIC_DISPATCH(input_here)(m, t); }
void transform_weights(int m, const WeightTransform& t) {
  HWY_DYNAMIC_DISPATCH(weights_here)(m, t);
}
void transform_output(int m, const OutputTransform& t) { HWY_DYNAMIC_DISPATCH(output_here)(m, t); }
void transform_output_gradient(const InputTransform& t) {
  HWY_DYNAMIC_DISPATCH(output_gradient_here)(t);
}
void transform_weight_gradient(const WeightGradientTransform& t) {
  HWY_DYNAMIC_DISPATCH(weight_gradient_here)(t);
}

}  // namespace limbic::winograd
#endif
