#include "limbic/explain/pictures.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "limbic/io/resize.h"

namespace limbic::explain {
namespace {

uint8_t level(double share) {
  return static_cast<uint8_t>(std::lround(255 * std::clamp(share, 0.0, 1.0)));
}

// Tiles of one size, enlarged to some 32 pixels, a pixel apart, about as many across as down.
io::Picture sheet(const std::vector<io::Picture>& tiles) {
  const int64_t longer = std::max(tiles[0].height, tiles[0].width);
  const int64_t zoom = std::max<int64_t>(1, 32 / longer);
  const auto n = std::ssize(tiles);
  const auto across = static_cast<int64_t>(std::ceil(std::sqrt(static_cast<double>(n))));
  const int64_t down = (n + across - 1) / across;
  const int64_t height = tiles[0].height * zoom + 1, width = tiles[0].width * zoom + 1;
  io::Picture out(down * height - 1, across * width - 1);
  std::fill(out.pixels.begin(), out.pixels.end(), uint8_t{255});
  for (int64_t i = 0; i < n; ++i)
    for (int64_t y = 0; y < height - 1; ++y)
      for (int64_t x = 0; x < width - 1; ++x)
        std::copy_n(tiles[static_cast<size_t>(i)].row(y / zoom) + x / zoom * 3, 3,
                    out.row(i / across * height + y) + (i % across * width + x) * 3);
  return out;
}

io::Picture grey(const std::vector<float>& shares, int64_t height, int64_t width) {
  io::Picture out(height, width);
  for (size_t p = 0; p < shares.size(); ++p)
    std::fill_n(out.pixels.begin() + static_cast<int64_t>(p) * 3, 3, level(double{shares[p]}));
  return out;
}

}  // namespace

io::Picture overlaid(const io::Picture& picture, const Map& map) {
  const std::vector<float> values = upsampled(map, picture.height, picture.width);
  io::Picture out = picture;
  for (size_t p = 0; p < values.size(); ++p) {
    const double v = double{values[p]};
    uint8_t* pixel = out.pixels.data() + 3 * p;
    const double light = 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2];
    const double colour[] = {1.5 - std::abs(4 * v - 3), 1.5 - std::abs(4 * v - 2),
                             1.5 - std::abs(4 * v - 1)};
    for (int k = 0; k < 3; ++k)
      pixel[k] = level(0.55 * light / 255 + 0.45 * std::clamp(colour[k], 0.0, 1.0));
  }
  return out;
}

io::Picture tiles_of_features(const Tensor& features, int64_t most) {
  require(features.rank() == 4 && features.size() > 0, "expected feature maps (1,C,H,W), got ",
          to_string(features.shape()));
  const int64_t channels = features.dim(1), places = features.dim(2) * features.dim(3);
  std::vector<double> range;
  std::vector<int64_t> order(static_cast<size_t>(channels));
  std::iota(order.begin(), order.end(), int64_t{0});
  for (int64_t k = 0; k < channels; ++k) {
    const float* own = features.data() + k * places;
    const auto [low, high] = std::minmax_element(own, own + places);
    range.push_back(double{*high} - double{*low});
  }
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return range[static_cast<size_t>(a)] > range[static_cast<size_t>(b)];
  });
  order.resize(static_cast<size_t>(std::min(most, channels)));
  std::vector<io::Picture> tiles;
  for (const int64_t k : order) {
    const float* own = features.data() + k * places;
    tiles.push_back(grey(stretched({features.dim(2), features.dim(3), {own, own + places}}).values,
                         features.dim(2), features.dim(3)));
  }
  return sheet(tiles);
}

io::Picture tiles_of_filters(const Tensor& weight, int64_t most) {
  require(weight.rank() == 4 && weight.size() > 0, "expected filters (O,I,kh,kw), got ",
          to_string(weight.shape()));
  const int64_t filters = std::min(most, weight.dim(0)), inputs = weight.dim(1);
  const int64_t height = weight.dim(2), width = weight.dim(3), places = height * width;
  double largest = 1e-30;
  for (const float w : weight.values()) largest = std::max(largest, std::abs(double{w}));
  const auto share = [&](double w) { return static_cast<float>(0.5 + w / largest / 2); };
  if (places == 1) {
    const int64_t shown = std::min<int64_t>(inputs, 256);
    std::vector<float> values;
    for (int64_t o = 0; o < filters; ++o)
      for (int64_t i = 0; i < shown; ++i)
        values.push_back(share(double{weight.data()[o * inputs + i]}));
    return grey(values, filters, shown);
  }
  std::vector<io::Picture> tiles;
  for (int64_t o = 0; o < filters; ++o) {
    io::Picture tile(height, width);
    for (int64_t p = 0; p < places; ++p) {
      double mean = 0;
      for (int64_t i = 0; i < inputs; ++i) {
        const double w = double{weight.data()[(o * inputs + i) * places + p]};
        mean += w / static_cast<double>(inputs);
        if (inputs == 3) tile.pixels[static_cast<size_t>(3 * p + i)] = level(double{share(w)});
      }
      if (inputs != 3)
        std::fill_n(tile.pixels.begin() + 3 * p, 3,
                    level(double{share(mean * std::sqrt(static_cast<double>(inputs)))}));
    }
    tiles.push_back(std::move(tile));
  }
  return sheet(tiles);
}

}  // namespace limbic::explain
