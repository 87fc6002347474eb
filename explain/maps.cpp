#include "limbic/explain/maps.h"

#include <algorithm>
#include <cmath>

namespace limbic::explain {
namespace {

// One picture's feature maps.
struct Features {
  const float* data;
  int64_t channels, height, width;

  explicit Features(const Tensor& t) : data(t.data()) {
    require(t.rank() == 4 && t.dim(0) == 1 && t.size() > 0, "expected feature maps (1,C,H,W), got ",
            to_string(t.shape()));
    channels = t.dim(1);
    height = t.dim(2);
    width = t.dim(3);
  }
  int64_t places() const { return height * width; }
  float at(int64_t channel, int64_t place) const { return data[channel * places() + place]; }
};

void require_same(const Tensor& features, const Tensor& gradients) {
  require(features.shape() == gradients.shape(), "expected gradients ", to_string(features.shape()),
          ", got ", to_string(gradients.shape()));
}

// ReLU(sum_k weights[k] A_k).
Map weighted(const Features& f, const std::vector<double>& weights) {
  Map map{f.height, f.width};
  for (int64_t p = 0; p < f.places(); ++p) {
    double sum = 0;
    for (int64_t k = 0; k < f.channels; ++k)
      sum += weights[static_cast<size_t>(k)] * double{f.at(k, p)};
    map.values.push_back(static_cast<float>(std::max(sum, 0.0)));
  }
  return map;
}

}  // namespace

Map stretched(Map map) {
  for (const float v : map.values) require(std::isfinite(v), "the map holds NaN or infinity");
  const auto [low, high] = std::minmax_element(map.values.begin(), map.values.end());
  if (low == map.values.end()) return map;
  const float least = *low, range = *high - least;
  for (float& v : map.values) v = range > 0 ? (v - least) / range : 0;
  return map;
}

std::vector<float> upsampled(const Map& map, int64_t height, int64_t width) {
  struct Place {
    int64_t first, second;
    float weight;  // of the second
  };
  const auto places = [](int64_t from, int64_t to) {
    std::vector<Place> out;
    for (int64_t i = 0; i < to; ++i) {
      const double scale = static_cast<double>(from) / static_cast<double>(to);
      const double at = std::max(0.0, (static_cast<double>(i) + 0.5) * scale - 0.5);
      const auto first = std::min(static_cast<int64_t>(at), from - 1);
      out.push_back(
          {first, std::min(first + 1, from - 1), static_cast<float>(at - std::floor(at))});
    }
    return out;
  };
  const std::vector<Place> rows = places(map.height, height), columns = places(map.width, width);
  std::vector<float> out;
  out.reserve(static_cast<size_t>(height * width));
  for (const Place& y : rows) {
    const float* above = map.values.data() + y.first * map.width;
    const float* below = map.values.data() + y.second * map.width;
    for (const Place& x : columns)
      out.push_back((1 - y.weight) *
                        ((1 - x.weight) * above[x.first] + x.weight * above[x.second]) +
                    y.weight * ((1 - x.weight) * below[x.first] + x.weight * below[x.second]));
  }
  return out;
}

Map grad_cam(const Tensor& features, const Tensor& gradients) {
  require_same(features, gradients);
  const Features f(features), g(gradients);
  std::vector<double> weights(static_cast<size_t>(f.channels));
  for (int64_t k = 0; k < f.channels; ++k)
    for (int64_t p = 0; p < f.places(); ++p)
      weights[static_cast<size_t>(k)] += double{g.at(k, p)} / static_cast<double>(f.places());
  return weighted(f, weights);
}

Map grad_cam_plus_plus(const Tensor& features, const Tensor& gradients) {
  require_same(features, gradients);
  const Features f(features), g(gradients);
  std::vector<double> weights(static_cast<size_t>(f.channels));
  for (int64_t k = 0; k < f.channels; ++k) {
    double sum = 0;
    for (int64_t p = 0; p < f.places(); ++p) sum += double{f.at(k, p)};
    for (int64_t p = 0; p < f.places(); ++p) {
      const double slope = double{g.at(k, p)};
      if (slope <= 0) continue;  // ReLU(slope) is 0
      // Both by slope^2, which a small slope's square would lose.
      const double divisor = 2 + slope * sum;
      if (divisor != 0) weights[static_cast<size_t>(k)] += slope / divisor;
    }
  }
  return weighted(f, weights);
}

Map score_cam(const Tensor& features, const std::vector<double>& scores) {
  const Features f(features);
  require(std::ssize(scores) == f.channels, "score_cam: ", scores.size(), " scores for ",
          f.channels, " feature maps");
  const double largest = *std::max_element(scores.begin(), scores.end());
  std::vector<double> weights;
  double sum = 0;
  for (const double s : scores) sum += weights.emplace_back(std::exp(s - largest));
  for (double& w : weights) w /= sum;
  return weighted(f, weights);
}

Map eigen_cam(const Tensor& features) {
  const Features f(features);
  // The first left singular vector of A (places x channels), as an eigenvector of A A^T by power
  // iteration. Feature maps behind a ReLU have no negative products, and a start without zeros
  // meets the first eigenvector.
  std::vector<double> v(static_cast<size_t>(f.places()), 1), next(v.size());
  std::vector<double> projected(static_cast<size_t>(f.channels));
  for (size_t p = 0; p < v.size(); ++p) v[p] += 1e-3 * static_cast<double>(p % 7);
  for (int i = 0; i < 1000; ++i) {
    for (int64_t k = 0; k < f.channels; ++k) {
      double dot = 0;
      for (int64_t p = 0; p < f.places(); ++p)
        dot += double{f.at(k, p)} * v[static_cast<size_t>(p)];
      projected[static_cast<size_t>(k)] = dot;
    }
    std::fill(next.begin(), next.end(), 0.0);
    for (int64_t k = 0; k < f.channels; ++k)
      for (int64_t p = 0; p < f.places(); ++p)
        next[static_cast<size_t>(p)] += projected[static_cast<size_t>(k)] * double{f.at(k, p)};
    double norm = 0, change = 0;
    for (const double x : next) norm += x * x;
    if (norm == 0) break;
    for (size_t p = 0; p < v.size(); ++p) {
      next[p] /= std::sqrt(norm);
      change = std::max(change, std::abs(next[p] - v[p]));
    }
    v = next;
    if (change < 1e-9) break;
  }
  double sum = 0;
  for (const double x : v) sum += x;
  Map map{f.height, f.width};
  for (const double x : v) map.values.push_back(static_cast<float>(sum < 0 ? -x : x));
  return map;
}

}  // namespace limbic::explain
