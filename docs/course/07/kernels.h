#pragma once
// One 3x3 convolution of stride 1 and padding 1, 64 -> 64 channels, four times: as defined, with
// channels last, with four pixels at a time, and by Winograd's F(2x2, 3x3).
#include <cstddef>
#include <vector>

namespace limbic::course {

constexpr size_t channels = 64, side = 28;
using Floats = std::vector<float>;

/// A picture with a border of zeros, (C, side+2, side+2).
inline size_t planar(size_t c, size_t y, size_t x) { return (c * (side + 2) + y) * (side + 2) + x; }
/// The same with channels last, (side+2, side+2, C).
inline size_t last(size_t y, size_t x, size_t c = 0) { return (y * (side + 2) + x) * channels + c; }

/// As defined: weight (O,C,3,3), every sum in one variable.
inline void conv_planar(const Floats& src, const Floats& weight, Floats& dst) {
  for (size_t o = 0; o < channels; ++o)
    for (size_t y = 0; y < side; ++y)
      for (size_t x = 0; x < side; ++x) {
        float sum = 0;
        for (size_t c = 0; c < channels; ++c)
          for (size_t u = 0; u < 3; ++u)
            for (size_t v = 0; v < 3; ++v)
              sum += weight[((o * channels + c) * 3 + u) * 3 + v] * src[planar(c, y + u, x + v)];
        dst[planar(o, y + 1, x + 1)] = sum;
      }
}

/// sums[p][o] += src[p][c] * weight[c][o]: rows of 64 sums side by side, which a processor adds to
/// 4, 8 or 16 at a time.
template <size_t rows>
void multiply_add(const float* const (&src)[rows], const float* weight,
                  float (&sums)[rows][channels]) {
  for (size_t c = 0; c < channels; ++c)
    for (size_t p = 0; p < rows; ++p)
      for (size_t o = 0; o < channels; ++o) sums[p][o] += src[p][c] * weight[c * channels + o];
}

/// Channels last: weight (3,3,C,O), `pixels` neighbours at a time share each weight that is loaded.
template <size_t pixels>
void conv_last(const Floats& src, const Floats& weight, Floats& dst) {
  for (size_t y = 0; y < side; ++y)
    for (size_t x = 0; x < side; x += pixels) {
      float sums[pixels][channels] = {};
      for (size_t u = 0; u < 3; ++u)
        for (size_t v = 0; v < 3; ++v) {
          const float* from[pixels];
          for (size_t p = 0; p < pixels; ++p) from[p] = &src[last(y + u, x + v + p)];
          multiply_add(from, &weight[(u * 3 + v) * channels * channels], sums);
        }
      for (size_t p = 0; p < pixels; ++p)
        for (size_t o = 0; o < channels; ++o) dst[last(y + 1, x + p + 1, o)] = sums[p][o];
    }
}

/// Lines 0 1 2 3 -> B^T (0 1 2 3), `step` floats apart; each has `n` floats.
inline void transform_input(float* d, size_t step, size_t n) {
  float *d0 = d, *d1 = d + step, *d2 = d + 2 * step, *d3 = d + 3 * step;
  for (size_t i = 0; i < n; ++i) {
    const float a = d0[i] - d2[i], b = d1[i] + d2[i], c = d2[i] - d1[i], e = d3[i] - d1[i];
    d0[i] = a, d1[i] = b, d2[i] = c, d3[i] = e;
  }
}

/// Lines 0 1 2 3 -> A^T (0 1 2 3), which are lines 0 and 1.
inline void transform_output(float* m, size_t step, size_t n) {
  float *m0 = m, *m1 = m + step, *m2 = m + 2 * step, *m3 = m + 3 * step;
  for (size_t i = 0; i < n; ++i) {
    const float a = m0[i] + m1[i] + m2[i], b = m1[i] - m2[i] + m3[i];
    m0[i] = a, m1[i] = b;
  }
}

/// G g G^T of every kernel: (3,3,C,O) -> (4,4,C,O). Once for a network.
inline Floats transform_weights(const Floats& weight) {
  const double G[4][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};
  const size_t square = channels * channels;
  Floats out(16 * square);
  for (size_t i = 0; i < 4; ++i)
    for (size_t j = 0; j < 4; ++j)
      for (size_t k = 0; k < square; ++k) {
        double sum = 0;
        for (size_t u = 0; u < 3; ++u)
          for (size_t v = 0; v < 3; ++v)
            sum += G[i][u] * G[j][v] * double{weight[(u * 3 + v) * square + k]};
        out[(i * 4 + j) * square + k] = static_cast<float>(sum);
      }
  return out;
}

/// By tiles of 2x2 pixels, a row of 14 of them at a time: at each of the 16 places of a tile's
/// window a product of matrices, (tiles x C) times (C x O).
inline void conv_winograd(const Floats& src, const Floats& transformed, Floats& dst) {
  constexpr size_t tiles = side / 2, line = tiles * channels;
  static float windows[16][line], products[16][line];
  for (size_t y = 0; y < side; y += 2) {
    for (size_t i = 0; i < 16; ++i)
      for (size_t t = 0; t < tiles; ++t)
        for (size_t c = 0; c < channels; ++c)
          windows[i][t * channels + c] = src[last(y + i / 4, 2 * t + i % 4, c)];
    for (size_t i = 0; i < 4; ++i) transform_input(windows[i], 4 * line, line);  // columns
    for (size_t i = 0; i < 4; ++i) transform_input(windows[4 * i], line, line);  // rows
    for (size_t i = 0; i < 16; ++i)
      for (size_t t = 0; t < tiles; t += 2) {
        float sums[2][channels] = {};
        const float* const from[2] = {&windows[i][t * channels], &windows[i][(t + 1) * channels]};
        multiply_add(from, &transformed[i * channels * channels], sums);
        for (size_t o = 0; o < 2 * channels; ++o)
          products[i][t * channels + o] = sums[o / channels][o % channels];
      }
    for (size_t i = 0; i < 4; ++i) transform_output(products[i], 4 * line, line);
    for (size_t i = 0; i < 2; ++i) transform_output(products[4 * i], line, line);
    for (size_t i = 0; i < 4; ++i)
      for (size_t t = 0; t < tiles; ++t)
        for (size_t o = 0; o < channels; ++o)
          dst[last(y + 1 + i / 2, 2 * t + 1 + i % 2, o)] =
              products[i / 2 * 4 + i % 2][t * channels + o];
  }
}

}  // namespace limbic::course
