#include "limbic/nn/cpu/winograd/convolution.h"

#include <algorithm>

#include "limbic/core/error.h"
#include "limbic/core/packed_gemm.h"
#include "limbic/core/parallel.h"
#include "limbic/nn/cpu/winograd/sizes.h"

namespace limbic::winograd {
Geometry Geometry::backward_data() const {
  return {.n = n,
          .h = out_h(),
          .w = out_w(),
          .in_channels = out_channels,
          .out_channels = in_channels,
          .top = 2 - top,
          .left = 2 - left,
          .bottom = 2 - bottom,
          .right = 2 - right};
}

void check(const Geometry& g) {
  for (const int64_t p : {g.top, g.left, g.bottom, g.right})
    require(p >= 0 && p <= 2, "winograd: expected padding of 0 to 2, got ", p);
  require(g.n > 0 && g.h > 0 && g.w > 0 && g.in_channels > 0 && g.out_channels > 0 &&
              g.out_h() > 0 && g.out_w() > 0,
          "winograd: empty convolution of (", g.n, ",", g.h, ",", g.w, ",", g.in_channels, ") to ",
          g.out_channels, " channels");
}

struct Convolution::Run {
  const float* src;
  const float* packed;
  float* dst;
  int64_t dst_pitch;
  Epilogue epilogue;
};

Convolution::Convolution(const Geometry& geometry, int m) : geometry_(geometry), m_(m) {
  const Geometry& g = geometry;
  require(m == 2 || m == 4, "winograd: expected tiles of 2 or 4, got ", m);
  check(g);
  positions_ = (m + 2) * (m + 2);
  tiles_h_ = divide_up(g.out_h(), m);
  tiles_w_ = divide_up(g.out_w(), m);
  tiles_ = g.n * tiles_h_ * tiles_w_;
  vectors_ = divide_up(g.out_channels, vector_floats());
  zeros_.resize(static_cast<size_t>(g.in_channels));
  share_out(threads());
  plan();
}

// Threads share out tiles and output channels, whichever way takes the least time by an estimate
// in cycles (measured on vectors of 16). Each thread transforms all that it needs itself: fetching
// it from another core's cache can take longer, and no thread waits for another this way.
void Convolution::share_out(int64_t threads) {
  double best = 0;
  for (int64_t parts = 1; parts <= std::min(threads, vectors_); ++parts) {
    const int64_t tile_parts = std::min(threads / parts, tiles_);
    const auto tiles = static_cast<double>(divide_up(tiles_, tile_parts)),
               vectors = static_cast<double>(divide_up(vectors_, parts)),
               in = static_cast<double>(geometry_.in_channels);
    const double input = tiles * in / 16 * (m_ == 2 ? 45 : 120);
    const double weights = in * vectors * (m_ == 2 ? 50 : 80);
    // Two multiply-adds a cycle, if there are eight that do not wait for each other.
    const double rows = std::max(tiles, 8 / std::min(vectors, 2.0));
    const double product = static_cast<double>(positions_) * rows * in * vectors / 2;
    const double cycles = input + weights + product;
    if (parts > 1 && cycles >= best) continue;
    best = cycles;
    column_parts_ = parts;
    tile_parts_ = tile_parts;
  }
}

// Either the transformed weights of a thread stay in its cache, and chunks of tiles pass through,
// each before and after the product taking a third of 1 MB of L2 cache; or transformed tiles stay,
// and blocks of weights pass through, transformed just before they are used. The second is for few
// tiles and for weights that do not fit into a cache: each is read from memory as one of 9 numbers
// a kernel, not of (m+2)^2. The bounds are measured.
void Convolution::plan() {
  const int64_t lanes = vector_floats(), in = geometry_.in_channels,
                vectors = divide_up(vectors_, column_parts_),
                tiles = divide_up(tiles_, tile_parts_);
  constexpr int64_t megabyte = (1 << 20) / sizeof(float), most_tiles = 64;
  const int64_t weights = positions_ * in * vectors * lanes;
  stream_weights_ = weights > 8 * megabyte || tiles <= (weights > megabyte ? most_tiles : 8);
  if (stream_weights_) {
    chunk_ = std::min(tiles, most_tiles);
    block_vectors_ = std::min<int64_t>(2, vectors);
    block_in_ = std::min<int64_t>(64, in);
  } else {
    const int64_t tile_floats = positions_ * (round_up(in, line) + vectors * lanes);
    chunk_ = std::clamp<int64_t>(megabyte / 3 / tile_floats / 14 * 14, 28, 140);
    chunk_ = std::min(chunk_, tiles);
    block_vectors_ = vectors;
    block_in_ = in;
  }
  in_stride_ = round_up(block_in_, line);
  input_plane_ = plane_floats(chunk_ * in_stride_);
  weight_plane_ = plane_floats(block_in_ * block_vectors_ * lanes);
  product_plane_ = plane_floats(chunk_ * block_vectors_ * lanes);
}

int64_t Convolution::thread_scratch_floats() const {
  const int64_t in_blocks = divide_up(geometry_.in_channels, block_in_);
  return positions_ * (in_blocks * input_plane_ + weight_plane_ + product_plane_);
}

int64_t Convolution::scratch_floats() const {
  return column_parts_ * tile_parts_ * thread_scratch_floats();
}

InputTransform Convolution::input_transform(const Run& run, Range tiles, Range channels,
                                            float* dst) const {
  const Geometry& g = geometry_;
  return {.images = {.h = g.h,
                     .w = g.w,
                     .pitch = g.in_channels,
                     .top = g.top,
                     .left = g.left,
                     .tiles_h = tiles_h_,
                     .tiles_w = tiles_w_},
          .src = run.src,
          .zeros = zeros_.data(),
          .tiles = tiles,
          .channels = channels,
          .dst = {dst, input_plane_, in_stride_}};
}

OutputTransform Convolution::output_transform(const Run& run, Range tiles, Range vectors,
                                              float* product) const {
  const Geometry& g = geometry_;
  const int64_t lanes = vector_floats();
  return {.images = {.h = g.out_h(),
                     .w = g.out_w(),
                     .pitch = run.dst_pitch,
                     .tiles_h = tiles_h_,
                     .tiles_w = tiles_w_},
          .src = {product, product_plane_, vectors.size() * lanes},
          .tiles = tiles,
          .channels = {vectors.begin * lanes, std::min(vectors.end * lanes, g.out_channels)},
          .bias = run.epilogue.bias,
          .add = run.epilogue.add,
          .relu = run.epilogue.relu,
          .dst = run.dst};
}

void Convolution::run(const float* src, const float* packed, float* dst, int64_t dst_pitch,
                      const Epilogue& epilogue, float* scratch) const {
  const Run run = {src, packed, dst, dst_pitch, epilogue};
  parallel_for(column_parts_ * tile_parts_, [&](int64_t thread) {
    const Range tiles = share({0, tiles_}, thread / column_parts_, tile_parts_),
                vectors = share({0, vectors_}, thread % column_parts_, column_parts_);
    float* own = scratch + thread * thread_scratch_floats();
    stream_weights_ ? stream_weights(run, tiles, vectors, own)
                    : stream_tiles(run, tiles, vectors, own);
  });
}

void Convolution::stream_tiles(const Run& run, Range own, Range vectors, float* scratch) const {
  const int64_t in_channels = geometry_.in_channels, columns = vectors.size() * vector_floats();
  float *input = scratch, *weights = input + positions_ * input_plane_,
        *product = weights + positions_ * weight_plane_;
  transform_weights(m_, {.packed = run.packed,
                         .in_channels = in_channels,
                         .vectors = vectors,
                         .in = {0, in_channels},
                         .dst = weights,
                         .plane = weight_plane_});
  const int64_t chunks = divide_up(own.size(), chunk_);
  for (int64_t i = 0; i < chunks; ++i) {
    const Range tiles = share(own, i, chunks);
    transform_input(m_, input_transform(run, tiles, {0, in_channels}, input));
    for (int64_t p = 0; p < positions_; ++p)
      multiply({.rows = tiles.size(),
                .cols = columns,
                .inner = in_channels,
                .a = input + p * input_plane_,
                .a_row_stride = in_stride_,
                .b = weights + p * weight_plane_,
                .c = product + p * product_plane_,
                .c_stride = columns});
    transform_output(m_, output_transform(run, tiles, vectors, product));
  }
}

void Convolution::stream_weights(const Run& run, Range own, Range vectors, float* scratch) const {
  const int64_t in_channels = geometry_.in_channels, in_blocks = divide_up(in_channels, block_in_);
  const int64_t input_block = positions_ * input_plane_;
  float *weights = scratch + in_blocks * input_block,
        *product = weights + positions_ * weight_plane_;
  const int64_t chunks = divide_up(own.size(), chunk_);
  for (int64_t i = 0; i < chunks; ++i) {
    const Range tiles = share(own, i, chunks);
    for (int64_t b = 0; b < in_blocks; ++b) {
      const Range in = {b * block_in_, std::min((b + 1) * block_in_, in_channels)};
      transform_input(m_, input_transform(run, tiles, in, scratch + b * input_block));
    }
    for (int64_t v = vectors.begin; v < vectors.end; v += block_vectors_) {
      const Range columns = {v, std::min(v + block_vectors_, vectors.end)};
      for (int64_t b = 0; b < in_blocks; ++b) {
        const Range in = {b * block_in_, std::min((b + 1) * block_in_, in_channels)};
        multiply_block(run, {tiles.size(), in, columns}, scratch + b * input_block, weights,
                       product);
      }
      transform_output(m_, output_transform(run, tiles, columns, product));
    }
  }
}

// product = or += input * weights for one block of input and one of output channels.
void Convolution::multiply_block(const Run& run, const Block& block, const float* input,
                                 float* weights, float* product) const {
  const int64_t lanes = vector_floats(), in_channels = geometry_.in_channels;
  const auto& [rows, in, vectors] = block;
  transform_weights(m_, {.packed = run.packed,
                         .in_channels = in_channels,
                         .vectors = vectors,
                         .in = in,
                         .dst = weights,
                         .plane = weight_plane_});
  // Memory brings the next block's weights while this one is multiplied.
  const int64_t lines = divide_up(in.size() * 9 * lanes, line * positions_);
  for (int64_t p = 0; p < positions_; ++p) {
    for (int64_t v = vectors.begin; v < vectors.end; ++v) {
      const float* ahead = run.packed + (v * in_channels + in.end) * 9 * lanes + p * lines * line;
      for (int64_t i = 0; i < lines; ++i) __builtin_prefetch(ahead + i * line, 0, 2);
    }
    multiply({.rows = rows,
              .cols = vectors.size() * lanes,
              .inner = in.size(),
              .a = input + p * input_plane_,
              .a_row_stride = in_stride_,
              .b = weights + p * weight_plane_,
              .c = product + p * product_plane_,
              .c_stride = vectors.size() * lanes,
              .into = in.begin > 0 ? Into::continue_ : Into::replace});
  }
}

}  // namespace limbic::winograd
