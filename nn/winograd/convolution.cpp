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
  require(m == 2 || m == 4, "winograd: tiles of 2 or 4, got ", m);
  require(g.n > 0 && g.h > 0 && g.w > 0 && g.in_channels > 0 && g.out_channels > 0 &&
              g.out_h() > 0 && g.out_w() > 0,
          "winograd: empty convolution of (", g.n, ",", g.h, ",", g.w, ",", g.in_channels, ") to ",
          g.out_channels, " channels");
  for (const int64_t p : {g.top, g.left, g.bottom, g.right})
    require(p >= 0 && p <= 2, "winograd: padding of 0 to 2, got ", p);
  positions_ = (m + 2) * (m + 2);
  tiles_h_ = divide_up(g.out_h(), m);
  tiles_w_ = divide_up(g.out_w(), m);
  tiles_ = g.n * tiles_h_ * tiles_w_;
  vectors_ = divide_up(g.out_channels, vector_floats());
  in_stride_ = round_up(g.in_channels, line);
  threads_ = threads();
  zeros_.resize(static_cast<size_t>(in_stride_));
  const int64_t weights = positions_ * g.in_channels * vectors_ * vector_floats();
  by_columns_ = env("W_COLS", weights > 200000 || tiles_ < 8 * threads_);
  by_columns_ ? plan_by_columns() : plan_by_tiles();
}

int64_t Convolution::packed_weight_floats() const {
  return vectors_ * geometry_.in_channels * 9 * vector_floats();
}

void Convolution::plan_by_tiles() {
  const int64_t out_stride = vectors_ * vector_floats();
  const int64_t per_tile = positions_ * (in_stride_ + out_stride);
  chunk_ = std::clamp<int64_t>(env("W_L2", 90000) / per_tile / 14 * 14, 14, 140);
  chunk_ = std::min(chunk_, divide_up(tiles_, threads_));
  block_vectors_ = vectors_;
  block_in_ = geometry_.in_channels;
  input_plane_ = plane_floats(chunk_ * in_stride_);
  product_plane_ = plane_floats(chunk_ * out_stride);
  weight_plane_ = plane_floats(geometry_.in_channels * out_stride);
}

void Convolution::plan_by_columns() {
  chunk_ = std::min<int64_t>(env("W_CHUNK", 112), tiles_);
  block_vectors_ = std::min<int64_t>(env("W_BV", 2), divide_up(vectors_, threads_));
  block_in_ = std::min<int64_t>(env("W_KB", 32), geometry_.in_channels);
  input_plane_ = plane_floats(chunk_ * in_stride_);
  product_plane_ = plane_floats(chunk_ * block_vectors_ * vector_floats());
  weight_plane_ = plane_floats(block_in_ * block_vectors_ * vector_floats());
}

int64_t Convolution::scratch_floats() const {
  const int64_t input = positions_ * input_plane_, product = positions_ * product_plane_,
                weights = positions_ * weight_plane_;
  return by_columns_ ? input + threads_ * (weights + product)
                     : weights + threads_ * (input + product);
}

void Convolution::run(const float* src, const float* packed, float* dst, int64_t dst_pitch,
                      const Epilogue& epilogue, float* scratch) const {
  const Run run = {src, packed, dst, dst_pitch, epilogue, scratch};
  by_columns_ ? run_by_columns(run) : run_by_tiles(run);
}

// Many tiles, few weights: all transformed weights stay in the cache of each core, and each thread
// takes its own tiles through all three steps, a chunk at a time.
void Convolution::run_by_tiles(const Run& run) const {
  const Geometry& g = geometry_;
  const int64_t out_stride = vectors_ * vector_floats();
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
  const auto work = [&](int64_t thread) {
    float* input = weights + positions_ * weight_plane_ +
                   thread * positions_ * (input_plane_ + product_plane_);
    float* product = input + positions_ * input_plane_;
    const Range all = share(tiles_, thread, threads_);
    const int64_t chunks = divide_up(all.size(), chunk_);
    for (int64_t i = 0; i < chunks; ++i) {
      Range tiles = share(all.size(), i, chunks);
      tiles = {all.begin + tiles.begin, all.begin + tiles.end};
      transform_input(m_, {.images = {.h = g.h,
                                      .w = g.w,
                                      .pitch = g.in_channels,
                                      .top = g.top,
                                      .left = g.left,
                                      .tiles_h = tiles_h_,
                                      .tiles_w = tiles_w_},
                           .src = run.src,
                           .zeros = zeros_.data(),
                           .tiles = tiles,
                           .channels = {0, g.in_channels},
                           .dst = {input, input_plane_, in_stride_}});
      for (int64_t p = 0; p < positions_; ++p)
        multiply({.rows = tiles.size(),
                  .cols = out_stride,
                  .inner = g.in_channels,
                  .a = input + p * input_plane_,
                  .a_stride = in_stride_,
                  .b = weights + p * weight_plane_,
                  .c = product + p * product_plane_,
                  .c_stride = out_stride});
      transform_output(m_, {.images = {.h = g.out_h(),
                                       .w = g.out_w(),
                                       .pitch = run.dst_pitch,
                                       .tiles_h = tiles_h_,
                                       .tiles_w = tiles_w_},
                            .src = {product, product_plane_, out_stride},
                            .tiles = tiles,
                            .channels = {0, g.out_channels},
                            .bias = run.epilogue.bias,
                            .add = run.epilogue.add,
                            .relu = run.epilogue.relu,
                            .dst = run.dst});
    }
  };
  parallel_for(threads_, work);
}

// Few tiles, many weights: each thread takes its own output channels, transforms their weights a
// block at a time just before they are used, and so reads 9 numbers a kernel from memory, not
// (m+2)^2.
void Convolution::run_by_columns(const Run& run) const {
  const Geometry& g = geometry_;
  const int64_t lanes = vector_floats();
  const int64_t column_parts = std::min(vectors_, threads_), tile_parts = threads_ / column_parts;
  float* input = run.scratch;
  const int64_t chunks = divide_up(tiles_, chunk_);
  const int64_t channel_parts = divide_up(g.in_channels, 64);
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    const Range all = share(tiles_, chunk, chunks);
    parallel_for(all.size() * channel_parts, [&](int64_t i) {
      const int64_t tile = i / channel_parts, part = i % channel_parts;
      const Range channels = {part * 64, std::min(part * 64 + 64, g.in_channels)};
      transform_input(m_, {.images = {.h = g.h,
                                      .w = g.w,
                                      .pitch = g.in_channels,
                                      .top = g.top,
                                      .left = g.left,
                                      .tiles_h = tiles_h_,
                                      .tiles_w = tiles_w_},
                           .src = run.src,
                           .zeros = zeros_.data(),
                           .tiles = {all.begin + tile, all.begin + tile + 1},
                           .channels = channels,
                           .dst = {input + tile * in_stride_, input_plane_, in_stride_}});
    });
    const auto work = [&](int64_t thread) {
      const int64_t column_part = thread % column_parts, tile_part = thread / column_parts;
      if (tile_part >= tile_parts) return;
      float* weights = input + positions_ * input_plane_ +
                       thread * positions_ * (weight_plane_ + product_plane_);
      float* product = weights + positions_ * weight_plane_;
      const Range rows = share(all.size(), tile_part, tile_parts);
      const Range columns = share(vectors_, column_part, column_parts);
      for (int64_t v = columns.begin; v < columns.end; v += block_vectors_) {
        const Range block = {v, std::min(v + block_vectors_, columns.end)};
        const int64_t out_stride = block.size() * lanes;
        for (int64_t k = 0; k < g.in_channels; k += block_in_) {
          const Range in = {k, std::min(k + block_in_, g.in_channels)};
          transform_weights(m_, {.packed = run.packed,
                                 .in_channels = g.in_channels,
                                 .vectors = block,
                                 .in = in,
                                 .dst = weights,
                                 .plane = weight_plane_,
                                 .first_row = k,
                                 .inner = in.size()});
          for (int64_t p = 0; p < positions_; ++p)
            multiply({.rows = rows.size(),
                      .cols = out_stride,
                      .inner = in.size(),
                      .a = input + p * input_plane_ + rows.begin * in_stride_ + k,
                      .a_stride = in_stride_,
                      .b = weights + p * weight_plane_,
                      .c = product + p * product_plane_,
                      .c_stride = out_stride,
                      .accumulate = k > 0});
        }
        transform_output(
            m_,
            {.images = {.h = g.out_h(),
                        .w = g.out_w(),
                        .pitch = run.dst_pitch,
                        .tiles_h = tiles_h_,
                        .tiles_w = tiles_w_},
             .src = {product, product_plane_, out_stride},
             .tiles = {all.begin + rows.begin, all.begin + rows.end},
             .channels = {block.begin * lanes, std::min(block.end * lanes, g.out_channels)},
             .bias = run.epilogue.bias,
             .add = run.epilogue.add,
             .relu = run.epilogue.relu,
             .dst = run.dst});
      }
    };
    parallel_for(threads_, work);
  }
}

void Convolution::pack(const float* weight, const PackOptions& options, float* packed) const {
  const int64_t in = geometry_.in_channels, out = geometry_.out_channels, lanes = vector_floats();
  // Strides of the source by output channel, input channel and kernel element.
  const bool back = options.backward_data;
  int64_t by_out = in * 9, by_in = 9, by_tap = 1;
  if (options.layout == WeightLayout::oihw) {
    if (back) by_out = 9, by_in = out * 9;
  } else {
    by_tap = in * out;
    by_out = back ? in : 1;
    by_in = back ? 1 : out;
  }
  if (back) {  // the rotated kernel is read from its last element
    weight += 8 * by_tap;
    by_tap = -by_tap;
  }
  parallel_for(vectors_ * in, [&](int64_t i) {
    const int64_t v = i / in, k = i % in, width = std::min(lanes, out - v * lanes);
    const float* from = weight + v * lanes * by_out + k * by_in;
    float* to = packed + i * 9 * lanes;
    for (int64_t tap = 0; tap < 9; ++tap)
      for (int64_t j = 0; j < lanes; ++j)
        to[tap * lanes + j] = j < width ? from[tap * by_tap + j * by_out] : 0.0f;
  });
}

}  // namespace limbic::winograd
