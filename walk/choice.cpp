#include "limbic/walk/choice.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace limbic::walk {
namespace {

int64_t places_of(const Shape& shape) { return shape.size() == 4 ? shape[2] * shape[3] : 1; }

std::vector<int64_t> widest_channels(const Tensor& value, int64_t most) {
  const int64_t places = places_of(value.shape());
  std::vector<float> range;
  std::vector<int64_t> order(static_cast<size_t>(value.dim(1)));
  std::iota(order.begin(), order.end(), int64_t{0});
  for (const int64_t c : order) {
    const float* own = value.data() + c * places;
    const auto [low, high] = std::minmax_element(own, own + places);
    range.push_back(places > 1 ? *high - *low : std::abs(*high));
  }
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return range[static_cast<size_t>(a)] > range[static_cast<size_t>(b)];
  });
  order.resize(static_cast<size_t>(std::min(most, value.dim(1))));
  return order;
}

std::vector<int64_t> evenly(int64_t size, int64_t most) {
  std::vector<int64_t> out;
  const int64_t n = std::min(size, most);
  for (int64_t i = 0; i < n; ++i) out.push_back((2 * i + 1) * size / (2 * n));
  return out;
}

std::vector<Cell> grid(const Shape& shape, int64_t most) {
  if (shape.size() != 4) return {{}};
  const auto side = static_cast<int64_t>(std::sqrt(static_cast<double>(most)));
  std::vector<Cell> out;
  for (const int64_t y : evenly(shape[2], side))
    for (const int64_t x : evenly(shape[3], side)) out.push_back({0, y, x});
  return out;
}

void include(std::vector<int64_t>& channels, int64_t c) {
  if (std::find(channels.begin(), channels.end(), c) == channels.end()) channels.back() = c;
}

}  // namespace

std::vector<Choice> choose(const Recording& r, const Selection& selection) {
  std::vector<Choice> out;
  for (int n = 0; n < r.graph.size(); ++n) {
    const auto i = static_cast<size_t>(n);
    const Tensor& value = r.layers[i].value;
    Choice choice{{}, grid(value.shape(), selection.places)};
    const bool follows = n > 0 && !shares_taps(*r.graph.node(n).op) &&
                         r.shapes[static_cast<size_t>(r.graph.node(n).src[0])][1] == value.dim(1);
    if (follows)
      choice.channels = out[static_cast<size_t>(r.graph.node(n).src[0])].channels;
    else
      choice.channels = widest_channels(value, selection.channels);
    if (value.dim(1) == r.probabilities().dim(1)) include(choice.channels, r.explained);
    std::sort(choice.channels.begin(), choice.channels.end());
    out.push_back(std::move(choice));
  }
  return out;
}

}  // namespace limbic::walk
