#include "limbic/nn/cpu/winograd/weight_gradient.h"

#include <algorithm>

#include "limbic/core/packed_gemm.h"
#include "limbic/core/parallel.h"
#include "limbic/nn/cpu/winograd/sizes.h"

namespace limbic::winograd {
namespace {

constexpr int64_t m = 4, positions = (m + 2) * (m + 2);

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

// By the geometry alone, so that the bits do not depend on the number of threads. Every sum has
// work for one thread, and at least 96 tiles, so that to transform it back takes little beside its
// products. Longer chunks are transformed back less often, but leave the L2 cache (measured).
void WeightGradient::plan() {
  sums_ = 1;
  while (sums_ < 8 && tiles_ >= 2 * sums_ * 96) sums_ *= 2;
  constexpr int64_t megabyte = (1 << 20) / sizeof(float);
  const int64_t tile_floats =
      positions * (round_up(geometry_.in_channels, line) + round_up(geometry_.out_channels, line));
  chunk_ = std::clamp<int64_t>(megabyte / tile_floats, 128, 256);
  chunk_ = std::min(chunk_, divide_up(tiles_, sums_));
}

// Threads share out sums and channels, whichever way takes the least time by an estimate in cycles
// (measured on vectors of 16). Each thread transforms all that it needs itself, as in Convolution.
void WeightGradient::share_out(int64_t threads) {
  const int64_t in_lines = divide_up(geometry_.in_channels, line);
  const auto cycles = [&](int64_t in_parts, int64_t column_parts) {
    const int64_t items = sums_ * in_parts * column_parts;
    const auto tiles = static_cast<double>(divide_up(tiles_, sums_)),
               in = static_cast<double>(divide_up(in_lines, in_parts)),
               columns = static_cast<double>(divide_up(vectors_, column_parts));
    const double product = positions / 2.0 * in * line * columns;
    return static_cast<double>(divide_up(items, std::min(threads, items))) * tiles *
           (in * 120 + columns * 70 + product);
  };
  for (int64_t in_parts = 1; in_parts <= std::min(threads, in_lines); ++in_parts)
    for (int64_t parts = 1; parts <= std::min(threads, vectors_); ++parts)
      if (cycles(in_parts, parts) < cycles(in_parts_, column_parts_)) {
        in_parts_ = in_parts;
        column_parts_ = parts;
      }
  items_ = sums_ * in_parts_ * column_parts_;
  workers_ = std::min(threads, items_);

  const int64_t vectors = divide_up(vectors_, column_parts_), lanes = vector_floats(),
                in = divide_up(in_lines, in_parts_) * line;
  block_in_ = std::min<int64_t>(64, in);
  panels_ = divide_up(vectors, 2);
  const int64_t columns = std::min<int64_t>(2, vectors) * lanes;
  input_plane_ = plane_floats(chunk_ * block_in_);
  gradient_plane_ = plane_floats(chunk_ * columns);
  product_plane_ = plane_floats(block_in_ * columns);
}

int64_t WeightGradient::thread_scratch_floats() const {
  return positions * (input_plane_ + panels_ * gradient_plane_ + product_plane_);
}

int64_t WeightGradient::scratch_floats() const {
  const int64_t weights = 9 * geometry_.in_channels * geometry_.out_channels;
  return (sums_ - 1) * round_up(weights, line) + workers_ * thread_scratch_floats();
}

WeightGradient::Part WeightGradient::part(int64_t item) const {
  const int64_t columns = item % column_parts_, in = item / column_parts_ % in_parts_,
                sum = item / column_parts_ / in_parts_;
  const Range in_lines = share({0, divide_up(geometry_.in_channels, line)}, in, in_parts_);
  return {sum,
          share({0, tiles_}, sum, sums_),
          {in_lines.begin * line, std::min(in_lines.end * line, geometry_.in_channels)},
          share({0, vectors_}, columns, column_parts_)};
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
    const Range items = share({0, items_}, worker, workers_);
    for (int64_t i = items.begin; i < items.end; ++i) {
      const Part p = part(i);
      sum_tiles(run, p, sum(p.sum), of_threads + worker * thread_scratch_floats());
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

void WeightGradient::transform_in_block(const Run& run, Range tiles, Range in, float* dst) const {
  const Geometry& g = geometry_;
  transform_input(m, {.images = {.h = g.h,
                                 .w = g.w,
                                 .pitch = g.in_channels,
                                 .top = g.top,
                                 .left = g.left,
                                 .tiles_h = tiles_h_,
                                 .tiles_w = tiles_w_},
                      .src = run.src,
                      .zeros = zeros_.data(),
                      .tiles = tiles,
                      .channels = in,
                      .dst = {dst, input_plane_, block_in_}});
}

void WeightGradient::transform_panel(const Run& run, Range tiles, Range out, float* dst) const {
  const Geometry& g = geometry_;
  transform_output_gradient({.images = {.h = g.out_h(),
                                        .w = g.out_w(),
                                        .pitch = g.out_channels,
                                        .tiles_h = tiles_h_,
                                        .tiles_w = tiles_w_},
                             .src = run.diff_dst,
                             .zeros = zeros_.data(),
                             .tiles = tiles,
                             .channels = out,
                             .dst = {dst, gradient_plane_, round_up(out.size(), vector_floats())}});
}

void WeightGradient::sum_tiles(const Run& run, const Part& part, float* dst, float* scratch) const {
  float *input = scratch, *gradient = input + positions * input_plane_,
        *product = gradient + panels_ * positions * gradient_plane_;
  const int64_t lanes = vector_floats(), chunks = divide_up(part.tiles.size(), chunk_),
                in_blocks = divide_up(part.in.size(), block_in_),
                panels = divide_up(part.vectors.size(), 2);
  const auto in = [&](int64_t block) -> Range {
    const int64_t begin = part.in.begin + block * block_in_;
    return {begin, std::min(begin + block_in_, part.in.end)};
  };
  const auto out = [&](int64_t panel) -> Range {
    const int64_t begin = part.vectors.begin + 2 * panel,
                  end = std::min(begin + 2, part.vectors.end);
    return {begin * lanes, std::min(end * lanes, geometry_.out_channels)};
  };
  for (int64_t i = 0; i < chunks; ++i) {
    const Range tiles = share(part.tiles, i, chunks);
    for (int64_t p = 0; p < panels; ++p)
      transform_panel(run, tiles, out(p), gradient + p * positions * gradient_plane_);
    for (int64_t b = 0; b < in_blocks; ++b) {
      transform_in_block(run, tiles, in(b), input);
      for (int64_t p = 0; p < panels; ++p) {
        const int64_t columns = round_up(out(p).size(), lanes);
        for (int64_t at = 0; at < positions; ++at)
          multiply({
              .rows = in(b).size(),
              .cols = columns,
              .inner = tiles.size(),
              .a = input + at * input_plane_,
              .a_row_stride = 1,
              .a_inner_stride = block_in_,
              .b = gradient + (p * positions + at) * gradient_plane_,
              .c = product + at * product_plane_,
              .c_stride = columns,
          });
        transform_weight_gradient({.src = {product, product_plane_, columns},
                                   .in = in(b),
                                   .out = out(p),
                                   .in_channels = geometry_.in_channels,
                                   .out_channels = geometry_.out_channels,
                                   .accumulate = i > 0,
                                   .dst = dst});
      }
    }
  }
}

}  // namespace limbic::winograd
