#pragma once
// The three transforms of Winograd's convolution F(m x m, 3 x 3), vectorised over channels. A tile
// is m x m pixels of the output and the (m+2) x (m+2) window of the input that they depend on; a
// transformed tile has (m+2)^2 positions, and the same position of all tiles makes one matrix,
// tiles x channels. All matrices here lie `plane` floats apart.
#include <cstdint>

namespace limbic::winograd {

/// A range of indices, [begin, end).
struct Range {
  int64_t begin = 0, end = 0;
  int64_t size() const { return end - begin; }
};

/// (m+2)^2 matrices in scratch memory: element (position, row, column) is
/// data[position * plane + row * stride + column].
struct Planes {
  float* data = nullptr;
  int64_t plane = 0, stride = 0;
};

/// Channels-last images and how the tiles lie in them.
struct TiledImages {
  int64_t h = 0, w = 0;       ///< of an image
  int64_t pitch = 0;          ///< floats from pixel to pixel
  int64_t top = 0, left = 0;  ///< zeros above and left of the first window (input only)
  int64_t tiles_h = 0, tiles_w = 0;
};

/// V = B^T d B of the windows of `tiles`, for a range of channels; row 0 of `dst` is tile
/// tiles.begin, its column 0 is channel channels.begin. `zeros` are as many zeros as a pixel has
/// channels: what lies outside the image.
struct InputTransform {
  TiledImages images;
  const float* src = nullptr;
  const float* zeros = nullptr;
  Range tiles, channels;
  Planes dst;
};
void transform_input(int m, const InputTransform& transform);

/// U = G g G^T for a range of input channels and of vectors of output channels, from packed weights
/// (out_channels / vector, in_channels, 9, vector) to one packed matrix (core/packed_gemm.h) a
/// position, whose row 0 is input channel in.begin.
struct WeightTransform {
  const float* packed = nullptr;
  int64_t in_channels = 0;
  Range vectors, in;
  float* dst = nullptr;
  int64_t plane = 0;
};
void transform_weights(int m, const WeightTransform& transform);

/// dst = relu(A^T M A + bias + add) of `tiles`, for a range of output channels; row 0 of `src` is
/// tile tiles.begin, its column 0 is channel channels.begin. `bias` and `add` may be null; `add` is
/// laid out as dst is.
struct OutputTransform {
  TiledImages images;
  Planes src;
  Range tiles, channels;
  const float* bias = nullptr;
  const float* add = nullptr;
  bool relu = false;
  float* dst = nullptr;
};
void transform_output(int m, const OutputTransform& transform);

/// Y = A y A^T of tiles of diff_dst, m = 4: as transform_input, but of the tiles of the output
/// (images.top and left are 0) and not of the windows they depend on.
void transform_output_gradient(const InputTransform& transform);

/// dst = or += G^T M G, m = 4, for a range of input and of output channels; `dst` is
/// (3, 3, in_channels, out_channels); row 0 of `src` is input channel in.begin, its column 0 output
/// channel out.begin.
struct WeightGradientTransform {
  Planes src;
  Range in, out;
  int64_t in_channels = 0, out_channels = 0;
  bool accumulate = false;
  float* dst = nullptr;
};
void transform_weight_gradient(const WeightGradientTransform& transform);

}  // namespace limbic::winograd
