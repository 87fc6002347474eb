#pragma once
#include <cstdint>
#include <vector>

#include "limbic/core/progress.h"
#include "limbic/core/tensor.h"

namespace limbic::baselines {

struct KMeansOptions {
  int64_t clusters = 1000;
  int64_t max_rounds = 25;
  double tolerance = 1e-4;  ///< Ends where a round lowers the objective by less than this part.
  uint64_t seed = 0;
};

struct KMeans {
  Tensor centres;                 ///< (clusters,d).
  std::vector<double> objective;  ///< Sum of squared distances before each round; never rises.
};

/// Lloyd's algorithm from k-means++ (Arthur and Vassilvitskii 2007) over x F32 (n,d). There are no
/// more clusters than distinct rows. A cluster that loses all its rows keeps its centre. Throws
/// Error without rows or clusters.
KMeans kmeans(const Tensor& x, const KMeansOptions& options, const ProgressFunction& progress = {});

/// The nearest centre of each row of x F32 (n,d), the first of equals; squared distances into
/// `distances` where it is given.
std::vector<int64_t> nearest_centres(const Tensor& centres, const Tensor& x,
                                     std::vector<double>* distances = nullptr);

}  // namespace limbic::baselines
