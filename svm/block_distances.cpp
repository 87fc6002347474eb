#include "limbic/svm/block_distances.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "limbic/core/simd.h"
#include "limbic/svm/distances.h"
#include "limbic/svm/exponential.h"

namespace limbic::svm {
namespace {

int64_t row_start(int64_t row) { return row * (row + 1) / 2; }

LIMBIC_MULTIVERSION void add_scaled(float factor, const float* from, float* to, int64_t n) {
  for_columns(n, [&](int64_t j) { to[j] += factor * from[j]; });
}

LIMBIC_MULTIVERSION void exponentials(float* values, int64_t n) {
  for_columns(n, [&](int64_t j) { values[j] = exp_of_negative(-values[j]); });
}

Tensor pack_lower(const Tensor& square) {
  const int64_t n = square.dim(0);
  Tensor out = Tensor::uninitialised({row_start(n)});
  parallel_for_dynamic(
      n, [&](int64_t i) { std::copy_n(square.data() + i * n, i + 1, out.data() + row_start(i)); });
  return out;
}

}  // namespace

int64_t BlockDistances::bytes(int64_t samples, int64_t blocks) {
  const auto n = static_cast<double>(samples);
  const double bytes = 4 * n * n + 2 * n * (n + 1) * static_cast<double>(blocks);
  return static_cast<int64_t>(std::min(bytes, 9e18));
}

BlockDistances::BlockDistances(std::span<const Tensor> blocks, const Options& options,
                               std::span<const int64_t> order) {
  require(!blocks.empty(), "block distances: expected one block at least");
  for (const Tensor& block : blocks) {
    check_features(block);
    require(block.dim(0) == blocks[0].dim(0), "block distances: blocks of ", blocks[0].dim(0),
            " and ", block.dim(0), " rows");
  }
  n_ = blocks[0].dim(0);
  const int64_t needed = bytes(n_, std::ssize(blocks));
  require_affordable(static_cast<double>(needed), options.budget_bytes,
                     str_cat("distances of ", n_, " rows in ", blocks.size(), " blocks"));
  for (const Tensor& block : blocks) {
    const SquaredDistances distances = squared_distances(
        block, {.gamma = options.gamma, .budget_bytes = options.budget_bytes, .order = order});
    triangles_.push_back(pack_lower(distances.values));
    units_.push_back(distances.unit);
  }
}

Tensor BlockDistances::rbf(std::span<const double> weights, double gamma) const {
  require(gamma > 0 && std::isfinite(gamma), "block distances: expected gamma > 0, got ", gamma);
  require(std::ssize(weights) == blocks(), "block distances: ", blocks(), " blocks but ",
          weights.size(), " weights");
  constexpr double largest = std::numeric_limits<float>::max();
  std::vector<float> factors;
  for (size_t b = 0; b < weights.size(); ++b) {
    require(std::isfinite(weights[b]), "block distances: expected finite weights, got ",
            weights[b]);
    factors.push_back(
        static_cast<float>(std::min(weights[b] * weights[b] * (gamma * units_[b]), largest)));
  }
  Tensor out = Tensor::uninitialised({n_, n_});
  parallel_for_dynamic(n_, [&](int64_t i) {
    float* row = out.data() + i * n_;
    std::fill_n(row, i + 1, 0.0f);
    for (size_t b = 0; b < triangles_.size(); ++b)
      if (factors[b] != 0) add_scaled(factors[b], triangles_[b].data() + row_start(i), row, i + 1);
    exponentials(row, i + 1);
  });
  mirror_lower(out);
  return out;
}

}  // namespace limbic::svm
