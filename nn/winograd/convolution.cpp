#include "nn/winograd/convolution.h"

#include <algorithm>
#include <cstdlib>

#include "nn/core/error.h"
#include "nn/core/packed_gemm.h"
#include "nn/core/parallel.h"

namespace limbic::winograd {
namespace {

constexpr int64_t line = 16;  // floats of a cache line

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t round_up(int64_t a, int64_t b) { return divide_up(a, b) * b; }

// A transform touches one line of each of up to 36 planes. An odd number of lines between them
// spreads those over the sets of a cache, where a power of two would put them all into one.
int64_t plane_floats(int64_t floats) { return (divide_up(floats, line) | 1) * line; }

// Part `part` of [0, n) cut into `parts`.
Range share(int64_t n, int64_t part, int64_t parts) {
  return {n * part / parts, n * (part + 1) / parts};
}

int64_t env(const char* name, int64_t otherwise) {
  const char* s = std::getenv(name);
  return s ? std::atoll(s) : otherwise;
}

}  // namespace

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

struct Convolution::Run {
  const float* src;
  const float* packed;
  float* dst;
  int64_t dst_pitch;
  Epilogue epilogue;
  float* scratch;
};

Convolution::Convolution(const Geometry& geometry, int m) : geometry_(geometry), m_(m) {
  const Geometry& g = geometry;
  require(m == 2 || m == 4, "winograd: expected tiles of 2 or 4, got ", m);
  for (const int64_t p : {g.top, g.left, g.bottom, g.right})
    require(p >= 0 && p <= 2, "winograd: expected padding of 0 to 2, got ", p);
  require(g.n > 0 && g.h > 0 && g.w > 0 && g.in_channels > 0 && g.out_channels > 0 &&
              g.out_h() > 0 && g.out_w() > 0,
          "winograd: empty convolution of (", g.n, ",", g.h, ",", g.w, ",", g.in_channels, ") to ",
          g.out_channels, " channels");
  positions_ = (m + 2) * (m + 2);
  tiles_h_ = divide_up(g.out_h(), m);
  tiles_w_ = divide_up(g.out_w(), m);
  tiles_ = g.n * tiles_h_ * tiles_w_;
  vectors_ = divide_up(g.out_channels, vector_floats());
  threads_ = threads();
  zeros_.resize(static_cast<size_t>(g.in_channels));
  const int64_t weights = positions_ * g.in_channels * vectors_ * vector_floats();
  by_columns_ =
      env("W_COLS", tiles_ < (weights * int64_t{sizeof(float)} > 1 << 20 ? 32 : 8) * threads_);
  by_columns_ ? plan_by_columns() : plan_by_tiles();
}

// A chunk of tiles before and after the product takes about a third of 1 MB of L2 cache.
void Convolution::plan_by_tiles() {
  block_vectors_ = vectors_;
  block_in_ = geometry_.in_channels;
  const int64_t in_stride = round_up(block_in_, line), out_stride = vectors_ * vector_floats();
  const int64_t per_tile = positions_ * (in_stride + out_stride);
  chunk_ = std::clamp<int64_t>(env("W_L2", 90000) / per_tile / 14 * 14, 28, 140);
  chunk_ = std::min(chunk_, divide_up(tiles_, threads_));
  plan_planes();
}

void Convolution::plan_by_columns() {
  chunk_ = std::min<int64_t>(env("W_CHUNK", 64), tiles_);
  block_vectors_ = std::min<int64_t>(env("W_BV", 2), divide_up(vectors_, threads_));
  block_in_ = std::min<int64_t>(env("W_KB", 64), geometry_.in_channels);
  plan_planes();
}

void Convolution::plan_planes() {
  const int64_t columns = block_vectors_ * vector_floats();
  in_stride_ = round_up(block_in_, line);
  input_plane_ = plane_floats(chunk_ * in_stride_);
  product_plane_ = plane_floats(chunk_ * columns);
  weight_plane_ = plane_floats(block_in_ * columns);
}

int64_t Convolution::scratch_floats() const {
  const int64_t in_blocks = divide_up(geometry_.in_channels, block_in_);
  return by_columns_
             ? positions_ * (in_blocks * input_plane_ + threads_ * (weight_plane_ + product_plane_))
             : positions_ * (weight_plane_ + threads_ * (input_plane_ + product_plane_));
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
  const Run run = {src, packed, dst, dst_pitch, epilogue, scratch};
  by_columns_ ? run_by_columns(run) : run_by_tiles(run);
}

// Many tiles: the weights are transformed once, then each thread takes its own tiles through all
// three steps, a chunk that fits into its cache at a time.
void Convolution::run_by_tiles(const Run& run) const {
  const Geometry& g = geometry_;
  const int64_t columns = vectors_ * vector_floats();
  float* weights = run.scratch;
  parallel_ranges(g.in_channels, [&](int64_t begin, int64_t end) {
    transform_weights(m_, {.packed = run.packed,
                           .in_channels = g.in_channels,
                           .vectors = {0, vectors_},
                           .in = {begin, end},
                           .dst = weights,
                           .plane = weight_plane_,
                           .inner = g.in_channels});
  });
  parallel_for(threads_, [&](int64_t thread) {
    float* input =
        weights + positions_ * (weight_plane_ + thread * (input_plane_ + product_plane_));
    float* product = input + positions_ * input_plane_;
    const Range own = share(tiles_, thread, threads_);
    const int64_t chunks = divide_up(own.size(), chunk_);
    for (int64_t i = 0; i < chunks; ++i) {
      const Range part = share(own.size(), i, chunks);
      const Range tiles = {own.begin + part.begin, own.begin + part.end};
      transform_input(m_, input_transform(run, tiles, {0, g.in_channels}, input));
      for (int64_t p = 0; p < positions_; ++p)
        multiply({.rows = tiles.size(),
                  .cols = columns,
                  .inner = g.in_channels,
                  .a = input + p * input_plane_,
                  .a_stride = in_stride_,
                  .b = weights + p * weight_plane_,
                  .c = product + p * product_plane_,
                  .c_stride = columns});
      transform_output(m_, output_transform(run, tiles, {0, vectors_}, product));
    }
  });
}

// Few tiles and many weights: all threads transform the tiles, then each takes its own output
// channels and transforms their weights a block at a time, just before they are used. So each
// weight is read from memory once, as one of 9 numbers a kernel and not of (m+2)^2.
void Convolution::run_by_columns(const Run& run) const {
  const int64_t in_channels = geometry_.in_channels;
  const int64_t chunks = divide_up(tiles_, chunk_), in_blocks = divide_up(in_channels, block_in_);
  // Where there are more threads than vectors of output channels, they share out the tiles too.
  const int64_t column_parts = std::min(vectors_, threads_), tile_parts = threads_ / column_parts;
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    const Range tiles = share(tiles_, chunk, chunks);
    parallel_for(tiles.size() * in_blocks, [&](int64_t i) {
      const int64_t tile = i / in_blocks, block = i % in_blocks;
      float* dst = run.scratch + block * positions_ * input_plane_ + tile * in_stride_;
      const Range channels = {block * block_in_, std::min((block + 1) * block_in_, in_channels)};
      const Range one = {tiles.begin + tile, tiles.begin + tile + 1};
      transform_input(m_, input_transform(run, one, channels, dst));
    });
    parallel_for(column_parts * tile_parts, [&](int64_t thread) {
      const Range columns = share(vectors_, thread % column_parts, column_parts);
      const Range rows = share(tiles.size(), thread / column_parts, tile_parts);
      float* weights = run.scratch + positions_ * (in_blocks * input_plane_ +
                                                   thread * (weight_plane_ + product_plane_));
      float* product = weights + positions_ * weight_plane_;
      for (int64_t v = columns.begin; v < columns.end; v += block_vectors_) {
        const Range vectors = {v, std::min(v + block_vectors_, columns.end)};
        for (int64_t block = 0; block < in_blocks; ++block)
          multiply_block(run, {vectors, rows, block}, weights, product);
        const Range own = {tiles.begin + rows.begin, tiles.begin + rows.end};
        transform_output(m_, output_transform(run, own, vectors, product));
      }
    });
  }
}

// Adds the products of one block of input channels and one of output channels.
void Convolution::multiply_block(const Run& run, const Block& b, float* weights,
                                 float* product) const {
  const int64_t lanes = vector_floats(), in_channels = geometry_.in_channels;
  const Range in = {b.in_block * block_in_, std::min((b.in_block + 1) * block_in_, in_channels)};
  transform_weights(m_, {.packed = run.packed,
                         .in_channels = in_channels,
                         .vectors = b.vectors,
                         .in = in,
                         .dst = weights,
                         .plane = weight_plane_,
                         .first_row = in.begin,
                         .inner = in.size()});
  // Memory brings the next block's weights while this one is multiplied.
  const int64_t lines = divide_up(in.size() * 9 * lanes, line * positions_);
  for (int64_t p = 0; p < positions_; ++p) {
    for (int64_t v = b.vectors.begin; v < b.vectors.end; ++v) {
      const float* ahead = run.packed + (v * in_channels + in.end) * 9 * lanes + p * lines * line;
      for (int64_t i = 0; i < lines; ++i) __builtin_prefetch(ahead + i * line, 0, 2);
    }
    multiply({.rows = b.rows.size(),
              .cols = b.vectors.size() * lanes,
              .inner = in.size(),
              .a = run.scratch + (b.in_block * positions_ + p) * input_plane_ +
                   b.rows.begin * in_stride_,
              .a_stride = in_stride_,
              .b = weights + p * weight_plane_,
              .c = product + p * product_plane_,
              .c_stride = b.vectors.size() * lanes,
              .accumulate = b.in_block > 0});
  }
}

}  // namespace limbic::winograd
