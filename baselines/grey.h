#pragma once
#include <cstdint>
#include <vector>

#include "limbic/io/picture.h"

namespace limbic::baselines {

/// A grey picture: values (height,width), 0-255.
struct Grey {
  int64_t height = 0, width = 0;
  std::vector<float> values;

  Grey() = default;
  Grey(int64_t h, int64_t w) : height(h), width(w), values(static_cast<size_t>(h * w)) {}
  float& at(int64_t y, int64_t x) { return values[static_cast<size_t>(y * width + x)]; }
  float at(int64_t y, int64_t x) const { return values[static_cast<size_t>(y * width + x)]; }
};

/// The luma of each pixel.
inline Grey to_grey(const io::Picture& picture) {
  Grey out(picture.height, picture.width);
  for (size_t i = 0; i < out.values.size(); ++i)
    out.values[i] = static_cast<float>(io::luma(picture.pixels.data() + 3 * i));
  return out;
}

}  // namespace limbic::baselines
