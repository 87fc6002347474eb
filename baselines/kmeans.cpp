#include "limbic/baselines/kmeans.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "limbic/core/parallel.h"
#include "limbic/core/random.h"
#include "limbic/svm/gemm.h"

namespace limbic::baselines {
namespace {

double squared_norm(const float* row, int64_t d) {
  double sum = 0;
  for (int64_t j = 0; j < d; ++j) sum += double{row[j]} * double{row[j]};
  return sum;
}

double squared_distance(const float* a, const float* b, int64_t d) {
  float part[8] = {};
  int64_t j = 0;
  for (; j + 8 <= d; j += 8)
    for (int64_t i = 0; i < 8; ++i) part[i] += (a[j + i] - b[j + i]) * (a[j + i] - b[j + i]);
  double sum = 0;
  for (const float p : part) sum += double{p};
  for (; j < d; ++j) sum += double{a[j] - b[j]} * double{a[j] - b[j]};
  return sum;
}

// k-means++: each centre a row, drawn in proportion to its squared distance from those before.
Tensor first_centres(const Tensor& x, const KMeansOptions& o) {
  const int64_t n = x.dim(0), d = x.dim(1);
  Random random(o.seed, hash_name("k-means"));
  std::vector<int64_t> chosen{random.below(n)};
  std::vector<double> distance(static_cast<size_t>(n), std::numeric_limits<double>::infinity());
  while (std::ssize(chosen) < std::min(o.clusters, n)) {
    const float* last = x.data() + chosen.back() * d;
    parallel_for(n, [&](int64_t i) {
      double& nearest = distance[static_cast<size_t>(i)];
      nearest = std::min(nearest, squared_distance(x.data() + i * d, last, d));
    });
    const double total = std::accumulate(distance.begin(), distance.end(), 0.0);
    if (total <= 0) break;  // no more distinct rows
    double left = random.uniform() * total;
    int64_t next = -1;
    for (int64_t i = 0; i < n && (next < 0 || left >= 0); ++i) {
      const double own = distance[static_cast<size_t>(i)];
      if (own > 0) next = i;
      left -= own;
    }
    chosen.push_back(next);
  }
  Tensor centres({std::ssize(chosen), d});
  for (size_t c = 0; c < chosen.size(); ++c)
    std::copy_n(x.data() + chosen[c] * d, d, centres.data() + static_cast<int64_t>(c) * d);
  return centres;
}

// Each centre becomes the mean of its rows, summed in the rows' order.
void move_centres(const Tensor& x, const std::vector<int64_t>& nearest, Tensor& centres) {
  const int64_t d = x.dim(1);
  std::vector<std::vector<int64_t>> members(static_cast<size_t>(centres.dim(0)));
  for (size_t i = 0; i < nearest.size(); ++i)
    members[static_cast<size_t>(nearest[i])].push_back(static_cast<int64_t>(i));
  parallel_for_dynamic(centres.dim(0), [&](int64_t c) {
    const auto& own = members[static_cast<size_t>(c)];
    if (own.empty()) return;
    std::vector<double> sum(static_cast<size_t>(d));
    for (const int64_t i : own)
      for (int64_t j = 0; j < d; ++j) sum[static_cast<size_t>(j)] += double{x.data()[i * d + j]};
    for (int64_t j = 0; j < d; ++j)
      centres.data()[c * d + j] =
          static_cast<float>(sum[static_cast<size_t>(j)] / static_cast<double>(own.size()));
  });
}

}  // namespace

std::vector<int64_t> nearest_centres(const Tensor& centres, const Tensor& x,
                                     std::vector<double>* distances) {
  if (x.empty()) return {};
  require(centres.rank() == 2 && x.rank() == 2 && centres.dim(1) == x.dim(1),
          "k-means: expected rows of ", centres.dim(1), " values, got ", to_string(x.shape()));
  const int64_t n = x.dim(0), d = x.dim(1), k = centres.dim(0);
  std::vector<double> norms;
  for (int64_t c = 0; c < k; ++c) norms.push_back(squared_norm(centres.data() + c * d, d));
  std::vector<int64_t> out(static_cast<size_t>(n));
  if (distances) distances->resize(static_cast<size_t>(n));
  constexpr int64_t chunk = 512;
  parallel_for_dynamic((n + chunk - 1) / chunk, [&](int64_t part) {
    const int64_t begin = part * chunk, rows = std::min(n - begin, chunk);
    Tensor products({rows, k});
    svm::gemm({x.data() + begin * d, rows, d, d},
              svm::Matrix<const float>{centres.data(), k, d, d}.t(), {products.data(), rows, k, k});
    for (int64_t i = 0; i < rows; ++i) {
      const float* product = products.data() + i * k;
      int64_t best = 0;
      double least = std::numeric_limits<double>::infinity();
      for (int64_t c = 0; c < k; ++c) {
        const double value = norms[static_cast<size_t>(c)] - 2 * double{product[c]};
        if (value < least) {
          least = value;
          best = c;
        }
      }
      out[static_cast<size_t>(begin + i)] = best;
      if (distances)
        (*distances)[static_cast<size_t>(begin + i)] =
            squared_distance(x.data() + (begin + i) * d, centres.data() + best * d, d);
    }
  });
  return out;
}

KMeans kmeans(const Tensor& x, const KMeansOptions& o, const ProgressFunction& progress) {
  require(x.rank() == 2 && x.dim(0) > 0 && o.clusters >= 1 && o.max_rounds >= 1,
          "k-means: expected rows and at least one cluster and round, got ", to_string(x.shape()),
          " and ", o.clusters, " clusters");
  KMeans out{first_centres(x, o), {}};
  for (int64_t round = 0; round < o.max_rounds; ++round) {
    if (progress)
      progress(
          {.task = "k-means", .done = round, .total = o.max_rounds, .unit = "round", .note = {}});
    std::vector<double> distances;
    const std::vector<int64_t> nearest = nearest_centres(out.centres, x, &distances);
    const double now = std::accumulate(distances.begin(), distances.end(), 0.0);
    const double before =
        out.objective.empty() ? std::numeric_limits<double>::infinity() : out.objective.back();
    out.objective.push_back(now);
    if (before - now < o.tolerance * now || now == 0) break;
    move_centres(x, nearest, out.centres);
  }
  return out;
}

}  // namespace limbic::baselines
