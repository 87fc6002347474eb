#pragma once
#include <span>
#include <vector>

#include "limbic/svm/products.h"

namespace limbic::svm {

/// Squared distances of a concatenated vector whose blocks are weighted:
///
///   D_ij = sum over blocks b of weight_b^2 D_b,ij
///
/// so that all weights (alpha, beta), every gamma and every C share the blocks' own distances,
/// which are computed once and kept as packed lower triangles, n(n+1)/2 floats a block.
class BlockDistances {
 public:
  struct Options {
    /// The largest gamma weight_b^2 of a kernel that will use a block: it decides the precision.
    double gamma = 1;
    int64_t budget_bytes = int64_t{8} << 30;  ///< Of all triangles and one square matrix.
  };

  /// A block F32 (n,width) for each of the vector's blocks, all of the same n; sample i is row
  /// order[i] of each. Throws Error for other shapes, features that are not finite, or more bytes
  /// than the budget.
  BlockDistances(std::span<const Tensor> blocks, const Options& options,
                 std::span<const int64_t> order = {});

  /// All triangles and one square matrix.
  static int64_t bytes(int64_t samples, int64_t blocks);

  int64_t samples() const { return n_; }
  int64_t blocks() const { return std::ssize(triangles_); }

  /// exp(-gamma D) of all samples under a weight for each block -> F32 (n,n), symmetric. Throws
  /// Error for other numbers of weights, and for weights or a gamma that are not finite.
  Tensor rbf(std::span<const double> weights, double gamma) const;

 private:
  int64_t n_ = 0;
  std::vector<Tensor> triangles_;  // row i at i(i+1)/2, columns 0 ... i
  std::vector<double> units_;      // of each block's distances
};

}  // namespace limbic::svm
