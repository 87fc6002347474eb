#include "nn/winograd/weight_gradient.h"

#include <algorithm>
#include <cstdlib>

#include "nn/core/packed_gemm.h"
#include "nn/core/parallel.h"
#include "nn/winograd/sizes.h"

namespace limbic::winograd {
namespace {

constexpr int64_t m = 4, positions = (m + 2) * (m + 2);
int64_t env(const char* n, int64_t d) {
  const char* e = std::getenv(n);
  return e ? std::atoll(e) : d;
}

}  // namespace

struct WeightGradient::Run {
  const float* src;
  const float* diff_dst;
};

WeightGradient::WeightGradient(const Geometry& geometry) : geometry_(geometry) {
  const Geometry& g = geometry;
  check(g);
  tiles_h_ = divide_up(g.out_h(), m);
  tiles_w_ = divide_up(g.out_w(), m);
  tiles_ = g.n * tiles_h_ * tiles_w_;
  vectors_ = divide_up(g.out_channels, vector_floats());
  zeros_.resize(static_cast<size_t>(std::max(g.in_channels, g.out_channels)));
  plan();
  share_out(threads());
}

void WeightGradient::plan() {
  const int64_t in = geometry_.in_channels, out = geometry_.out_channels;
  sums_ = std::clamp<int64_t>(tiles_ / env("WG_SUM", 128), 1, env("WG_SUMS", 8));
  block_in_ = std::min(env("WG_BLOCK", 64), in);
  const int64_t tile_floats = positions * (round_up(in, line) + round_up(out, line));
  constexpr int64_t megabyte = (1 << 20) / sizeof(float);
  chunk_ = std::clamp<int64_t>(megabyte * env("WG_CHUNK", 100) / 100 / tile_floats,
                               env("WG_MIN", 64), 256);
  chunk_ = std::min(chunk_, divide_up(tiles_, sums_));
  keep_products_ = env("WG_KEEP", 0);
}

void WeightGradient::share_out(int64_t threads) {
  double best = 0;
  for (int64_t parts = 1; parts <= std::min(threads, vectors_); ++parts) {
    const int64_t workers = std::min(threads, sums_ * parts), vectors = divide_up(vectors_, parts);
    const auto tiles = static_cast<double>(divide_up(tiles_, sums_)),
               items = static_cast<double>(divide_up(sums_ * parts, workers)),
               columns = static_cast<double>(vectors),
               in = static_cast<double>(geometry_.in_channels);
    const double product = positions / 2.0 * tiles * in * columns;
    const double cycles = items * (tiles * (in / 16 * 120 + columns * 70) + product);
    if (parts > 1 && cycles >= best) continue;
    best = cycles;
    column_parts_ = parts;
    workers_ = workers;
    part_vectors_ = vectors;
  }
  const int64_t lanes = vector_floats();
  input_plane_ = plane_floats(chunk_ * round_up(block_in_, line));
  gradient_plane_ = plane_floats(chunk_ * std::min<int64_t>(2, part_vectors_) * lanes);
  product_plane_ = plane_floats(block_in_ * std::min<int64_t>(2, part_vectors_) * lanes);
}

int64_t WeightGradient::thread_scratch_floats() const {
  const int64_t in_blocks = divide_up(geometry_.in_channels, block_in_),
                panels = divide_up(part_vectors_, 2);
  return positions * (in_blocks * input_plane_ + panels * gradient_plane_ +
                      (keep_products_ ? in_blocks * panels : 1) * product_plane_);
}

int64_t WeightGradient::scratch_floats() const {
  const int64_t weights = 9 * geometry_.in_channels * geometry_.out_channels;
  return (sums_ - 1) * round_up(weights, line) + workers_ * thread_scratch_floats();
}

Range WeightGradient::block_in(int64_t block) const {
  return {block * block_in_, std::min((block + 1) * block_in_, geometry_.in_channels)};
}

Range WeightGradient::block_out(int64_t panel, Range vectors) const {
  const int64_t lanes = vector_floats(), begin = vectors.begin + 2 * panel;
  return {begin * lanes,
          std::min(std::min(begin + 2, vectors.end) * lanes, geometry_.out_channels)};
}

void WeightGradient::run(const float* src, const float* diff_dst, float* diff_weight_hwio,
                         float* scratch) const {
  const Run run = {src, diff_dst};
  const int64_t weights = 9 * geometry_.in_channels * geometry_.out_channels;
  // The first sum is made where the result belongs.
  const auto sum = [&](int64_t i) {
    return i == 0 ? diff_weight_hwio : scratch + (i - 1) * round_up(weights, line);
  };
  float* of_threads = scratch + (sums_ - 1) * round_up(weights, line);
  parallel_for(workers_, [&](int64_t worker) {
    const Range items = share({0, sums_ * column_parts_}, worker, workers_);
    for (int64_t i = items.begin; i < items.end; ++i) {
      const int64_t part = i % column_parts_, sum_index = i / column_parts_;
      sum_tiles(run, share({0, tiles_}, sum_index, sums_),
                share({0, vectors_}, part, column_parts_), sum(sum_index),
                of_threads + worker * thread_scratch_floats());
    }
  });
  if (sums_ == 1) return;
  parallel_ranges(weights, [&](int64_t begin, int64_t end) {
    for (int64_t s = 1; s < sums_; ++s) {
      const float* from = sum(s);
      for (int64_t i = begin; i < end; ++i) diff_weight_hwio[i] += from[i];
    }
  });
}

void WeightGradient::transform_chunk(const Run& run, Range tiles, Range vectors, float* input,
                                     float* gradient) const {
  const Geometry& g = geometry_;
  const int64_t in_blocks = divide_up(g.in_channels, block_in_),
                panels = divide_up(vectors.size(), 2), lanes = vector_floats();
  TiledImages images = {.h = g.h,
                        .w = g.w,
                        .pitch = g.in_channels,
                        .top = g.top,
                        .left = g.left,
                        .tiles_h = tiles_h_,
                        .tiles_w = tiles_w_};
  for (int64_t b = 0; b < in_blocks; ++b)
    transform_input(m, {.images = images,
                        .src = run.src,
                        .zeros = zeros_.data(),
                        .tiles = tiles,
                        .channels = block_in(b),
                        .dst = {input + b * positions * input_plane_, input_plane_,
                                round_up(block_in_, line)}});
  images = {.h = g.out_h(),
            .w = g.out_w(),
            .pitch = g.out_channels,
            .tiles_h = tiles_h_,
            .tiles_w = tiles_w_};
  for (int64_t p = 0; p < panels; ++p) {
    const Range out = block_out(p, vectors);
    transform_output_gradient({.images = images,
                               .src = run.diff_dst,
                               .zeros = zeros_.data(),
                               .tiles = tiles,
                               .channels = out,
                               .dst = {gradient + p * positions * gradient_plane_, gradient_plane_,
                                       round_up(out.size(), lanes)}});
  }
}

void WeightGradient::sum_tiles(const Run& run, Range own, Range vectors, float* dst,
                               float* scratch) const {
  const Geometry& g = geometry_;
  const int64_t in_blocks = divide_up(g.in_channels, block_in_),
                panels = divide_up(vectors.size(), 2), lanes = vector_floats();
  float *input = scratch, *gradient = input + in_blocks * positions * input_plane_,
        *products = gradient + divide_up(part_vectors_, 2) * positions * gradient_plane_;
  const int64_t chunks = divide_up(own.size(), chunk_);
  for (int64_t i = 0; i < chunks; ++i) {
    const Range tiles = share(own, i, chunks);
    transform_chunk(run, tiles, vectors, input, gradient);
    for (int64_t b = 0; b < in_blocks; ++b)
      for (int64_t p = 0; p < panels; ++p) {
        const Range in = block_in(b), out = block_out(p, vectors);
        float* product =
            products + (keep_products_ ? (b * panels + p) * positions * product_plane_ : 0);
        const int64_t columns = round_up(out.size(), lanes);
        for (int64_t at = 0; at < positions; ++at)
          multiply({.rows = in.size(),
                    .cols = columns,
                    .inner = tiles.size(),
                    .a = input + (b * positions + at) * input_plane_,
                    .a_stride = round_up(block_in_, line),
                    .a_transposed = true,
                    .b = gradient + (p * positions + at) * gradient_plane_,
                    .c = product + at * product_plane_,
                    .c_stride = columns,
                    .accumulate = keep_products_ && i > 0});
        if (!keep_products_ || i + 1 == chunks)
          transform_weight_gradient({.src = {product, product_plane_, columns},
                                     .in = in,
                                     .out = out,
                                     .in_channels = g.in_channels,
                                     .out_channels = g.out_channels,
                                     .accumulate = !keep_products_ && i > 0,
                                     .dst = dst});
      }
  }
}

}  // namespace limbic::winograd
