#pragma once
// nn/cpu/winograd: fast 3x3 convolution with stride 1 by Winograd's algorithm.
#include <cstdint>
#include <vector>

#include "limbic/nn/cpu/winograd/transforms.h"

namespace limbic::winograd {

/// (n, h, w, in_channels) -> (n, out_h(), out_w(), out_channels), all channels-last.
struct Geometry {
  int64_t n = 1, h = 1, w = 1, in_channels = 1, out_channels = 1;
  int64_t top = 1, left = 1, bottom = 1, right = 1;  ///< Zeros around src, 0 to 2.

  int64_t out_h() const { return h + top + bottom - 2; }
  int64_t out_w() const { return w + left + right - 2; }
  /// The convolution that makes diff_src from diff_dst, with weights packed for backward_data.
  Geometry backward_data() const;
};

/// Throws Error if a size is not positive or padding is not 0 to 2.
void check(const Geometry& geometry);

enum class WeightLayout { oihw, hwio };

/// What is done to a sum before it is stored: dst = relu(sum + bias + add).
struct Epilogue {
  const float* bias = nullptr;  ///< (out_channels)
  const float* add = nullptr;   ///< Laid out as dst is; may be dst itself.
  bool relu = false;
};

/// 3x3 convolution (cross-correlation) of stride 1 in f32 by Winograd's F(m x m, 3 x 3), m = 2 or
/// 4: every m x m tile of an output channel is
///   A^T [ sum over input channels of (G g G^T) * (B^T d B) ] A      (* element by element)
/// with (m+2)^2 multiplications for 9 m^2 of the definition: 2.25 (m = 2) or 4 (m = 4) times fewer.
/// Lavin and Gray 2015, arXiv:1509.09308; docs/winograd.md derives it. ||difference|| / ||result||
/// against f64 is about 4e-7 (m = 2) and 1e-6 (m = 4) for 128 input channels (oneDNN's direct:
/// 6e-7).
///
/// Immutable, so that threads may share one. Works with the threads() of when it was made; results
/// have the same bits with any number of threads.
class Convolution {
 public:
  /// Throws Error if a size is not positive, padding is not 0 to 2, or m is not 2 or 4.
  Convolution(const Geometry& geometry, int m);

  int64_t packed_weight_floats() const;
  /// For all threads; no two runs at a time may share scratch memory.
  int64_t scratch_floats() const;

  /// How `pack` reads its source: the weights of this geometry, out_channels x in_channels, or
  /// those of the forward convolution whose geometry().backward_data() this is: channels
  /// exchanged, kernel rotated by 180 degrees.
  struct PackOptions {
    WeightLayout layout = WeightLayout::oihw;
    bool backward_data = false;
  };
  void pack(const float* weight, const PackOptions& options, float* packed) const;

  /// `dst_pitch` floats lie between neighbouring pixels of dst; at least out_channels.
  void run(const float* src, const float* packed, float* dst, int64_t dst_pitch,
           const Epilogue& epilogue, float* scratch) const;

  const Geometry& geometry() const { return geometry_; }
  int tile() const { return m_; }

 private:
  struct Run;
  struct Block {
    int64_t rows;  // tiles
    Range in, vectors;
  };
  void share_out(int64_t threads);
  void plan();
  int64_t thread_scratch_floats() const;
  void stream_tiles(const Run& run, Range tiles, Range vectors, float* scratch) const;
  void stream_weights(const Run& run, Range tiles, Range vectors, float* scratch) const;
  void multiply_block(const Run& run, const Block& block, const float* input, float* weights,
                      float* product) const;
  InputTransform input_transform(const Run& run, Range tiles, Range channels, float* dst) const;
  OutputTransform output_transform(const Run& run, Range tiles, Range vectors,
                                   float* product) const;

  Geometry geometry_;
  int m_;
  int64_t positions_;                          // (m+2)^2
  int64_t tiles_h_, tiles_w_, tiles_;          // of an image; of all images
  int64_t vectors_;                            // of output channels
  int64_t tile_parts_ = 1, column_parts_ = 1;  // their product is the number of threads
  bool stream_weights_ = false;
  int64_t chunk_ = 0;          // tiles at a time
  int64_t block_vectors_ = 0;  // vectors of output channels at a time
  int64_t block_in_ = 0;       // input channels at a time
  int64_t in_stride_ = 0;      // floats of a transformed tile at one position
  int64_t input_plane_ = 0, weight_plane_ = 0, product_plane_ = 0;
  std::vector<float> zeros_;  // a pixel outside the image
};

}  // namespace limbic::winograd
