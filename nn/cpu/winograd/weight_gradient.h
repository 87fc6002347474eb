#pragma once
// The gradient of the weights of a 3x3 convolution with stride 1 by Winograd's algorithm.
#include <cstdint>
#include <vector>

#include "limbic/nn/cpu/winograd/convolution.h"

namespace limbic::winograd {

/// diff_weight of a 3x3 convolution of stride 1 in f32 by F(4x4, 3x3) transposed: with the
/// transforms of nn/cpu/winograd/convolution.h, every 3x3 kernel's gradient is
///   G^T [ sum over tiles of (B^T d B) * (A y A^T) ] G      (* element by element)
/// where d is a 6x6 window of src and y the 4x4 tile of diff_dst that it feeds: 36 multiplications
/// for 144 of the definition. docs/winograd.md derives it.
///
/// Immutable, so that threads may share one. Works with the threads() of when it was made; results
/// have the same bits with any number of threads, because how tiles are divided into sums of their
/// own depends on the geometry alone.
class WeightGradient {
 public:
  /// Of the forward convolution. Throws Error where Convolution would.
  explicit WeightGradient(const Geometry& geometry);

  /// For all threads; no two runs at a time may share scratch memory.
  int64_t scratch_floats() const;
  /// diff_weight, (3, 3, in_channels, out_channels), is assigned; src and diff_dst are
  /// channels-last and dense.
  void run(const float* src, const float* diff_dst, float* diff_weight_hwio, float* scratch) const;

  const Geometry& geometry() const { return geometry_; }

 private:
  struct Run;
  struct Part {
    int64_t sum;
    Range tiles, in, vectors;
  };
  void plan();
  void share_out(int64_t threads);
  int64_t thread_scratch_floats() const;
  Part part(int64_t item) const;
  void sum_tiles(const Run& run, const Part& part, float* dst, float* scratch) const;
  void transform_in_block(const Run& run, Range tiles, Range in, float* dst) const;
  void transform_panel(const Run& run, Range tiles, Range out, float* dst) const;

  Geometry geometry_;
  int64_t tiles_h_, tiles_w_, tiles_;  // of an image; of all images
  int64_t vectors_;                    // of output channels
  // By the geometry alone:
  int64_t sums_ = 1;   // sums of tiles, added up at the end in their order
  int64_t chunk_ = 0;  // tiles at a time
  // By the number of threads:
  int64_t in_parts_ = 1, column_parts_ = 1;  // shares of a sum's input and output channels
  int64_t items_ = 1, workers_ = 1;
  int64_t block_in_ = 0;  // input channels at a time
  int64_t panels_ = 0;    // pairs of vectors of output channels of a share, at most
  int64_t input_plane_ = 0, gradient_plane_ = 0, product_plane_ = 0;
  std::vector<float> zeros_;  // a pixel outside the image
};

}  // namespace limbic::winograd
