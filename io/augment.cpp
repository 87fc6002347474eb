#include "limbic/io/augment.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "limbic/core/error.h"

namespace limbic::io {
namespace {

// Pillow's Image.blend: f32, cut off towards zero.
uint8_t blend(int from, int to, float alpha) {
  const float value = static_cast<float>(from) + alpha * static_cast<float>(to - from);
  return static_cast<uint8_t>(std::clamp(value, 0.0f, 255.0f));
}

double jitter_factor(double amount, Random& random) {
  return random.uniform(std::max(0.0, 1 - amount), 1 + amount);
}

void jitter(Picture& picture, const Augmentation& a, Random& random) {
  std::vector<int> order{0, 1, 2};
  random.shuffle(order);
  for (const int step : order) {
    if (step == 0 && a.brightness > 0)
      adjust_brightness(picture, jitter_factor(a.brightness, random));
    if (step == 1 && a.contrast > 0) adjust_contrast(picture, jitter_factor(a.contrast, random));
    if (step == 2 && a.saturation > 0)
      adjust_saturation(picture, jitter_factor(a.saturation, random));
  }
}

// The window's resized pixels only: what a crop throws away is never computed.
Picture random_crop(const Picture& src, const Augmentation& a, const Preset& preset,
                    Random& random) {
  const ResizedSize size = resized_size(preset, src);
  const auto draw = [&](int64_t extent) {
    const int64_t room = extent + 2 * a.padding - preset.crop;
    return room >= 0 ? random.below(room + 1) - a.padding : room / 2 - a.padding;
  };
  const int64_t top = draw(size.height);
  const Region window{top, draw(size.width), preset.crop, preset.crop};
  const int64_t y = std::clamp<int64_t>(window.top, 0, size.height - 1);
  const int64_t x = std::clamp<int64_t>(window.left, 0, size.width - 1);
  const Region part{y, x, std::clamp<int64_t>(window.top + window.height - y, 1, size.height - y),
                    std::clamp<int64_t>(window.left + window.width - x, 1, size.width - x)};
  const Picture seen = resize(
      src, {.height = size.height, .width = size.width, .filter = preset.filter, .part = part});
  return crop(seen, {window.top - y, window.left - x, preset.crop, preset.crop});
}

}  // namespace

std::string to_json(const Augmentation& a) {
  return nlohmann::json({a.random_resized_crop, a.min_scale, a.max_scale, a.min_ratio, a.max_ratio,
                         a.random_crop, a.padding, a.flip, a.brightness, a.contrast, a.saturation})
      .dump();
}

void check(const Augmentation& a) {
  require(!(a.random_resized_crop && a.random_crop),
          "augmentation: random_resized_crop and random_crop exclude each other");
  require(a.min_scale > 0 && a.min_scale <= a.max_scale && a.max_scale <= 1,
          "augmentation: expected 0 < min_scale <= max_scale <= 1, got ", a.min_scale, " and ",
          a.max_scale);
  require(a.min_ratio > 0 && a.min_ratio <= a.max_ratio && std::isfinite(a.max_ratio),
          "augmentation: expected 0 < min_ratio <= max_ratio, got ", a.min_ratio, " and ",
          a.max_ratio);
  require(a.padding >= 0 && a.padding <= 4096,
          "augmentation: expected a padding of 0 to 4096, got ", a.padding);
  for (const double amount : {a.brightness, a.contrast, a.saturation})
    require(amount >= 0 && amount <= 10,
            "augmentation: expected brightness, contrast and saturation of 0 to 10, got ", amount);
}

Region random_resized_region(const Picture& src, const Augmentation& a, Random& random) {
  const double area = static_cast<double>(src.height) * static_cast<double>(src.width);
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double target = area * random.uniform(a.min_scale, a.max_scale);
    const double ratio = std::exp(random.uniform(std::log(a.min_ratio), std::log(a.max_ratio)));
    const int64_t width = std::llrint(std::sqrt(target * ratio));
    const int64_t height = std::llrint(std::sqrt(target / ratio));
    if (width > 0 && width <= src.width && height > 0 && height <= src.height) {
      const int64_t top = random.below(src.height - height + 1);
      return {top, random.below(src.width - width + 1), height, width};
    }
  }
  const double ratio = static_cast<double>(src.width) / static_cast<double>(src.height);
  Region region{0, 0, src.height, src.width};
  if (ratio < a.min_ratio)
    region.height = std::llrint(static_cast<double>(src.width) / a.min_ratio);
  else if (ratio > a.max_ratio)
    region.width = std::llrint(static_cast<double>(src.height) * a.max_ratio);
  region.height = std::clamp<int64_t>(region.height, 1, src.height);
  region.width = std::clamp<int64_t>(region.width, 1, src.width);
  region.top = (src.height - region.height) / 2;
  region.left = (src.width - region.width) / 2;
  return region;
}

void adjust_brightness(Picture& picture, double factor) {
  for (uint8_t& value : picture.pixels) value = blend(0, value, static_cast<float>(factor));
}

void adjust_contrast(Picture& picture, double factor) {
  if (picture.pixels.empty()) return;
  int64_t sum = 0;
  for (size_t i = 0; i < picture.pixels.size(); i += 3) sum += luma(&picture.pixels[i]);
  const double pixels = static_cast<double>(picture.pixels.size() / 3);
  const int mean = static_cast<int>(static_cast<double>(sum) / pixels + 0.5);
  for (uint8_t& value : picture.pixels) value = blend(mean, value, static_cast<float>(factor));
}

void adjust_saturation(Picture& picture, double factor) {
  for (size_t i = 0; i < picture.pixels.size(); i += 3) {
    uint8_t* pixel = &picture.pixels[i];
    const int l = luma(pixel);
    for (int c = 0; c < 3; ++c) pixel[c] = blend(l, pixel[c], static_cast<float>(factor));
  }
}

Picture augment(const Picture& src, const Augmentation& a, const Preset& preset, Random& random) {
  require(src.height > 0 && src.width > 0, "augmentation: an empty picture");
  Picture dst;
  if (a.random_resized_crop) {
    dst = resize(src, {.height = preset.crop,
                       .width = preset.crop,
                       .filter = preset.filter,
                       .source = random_resized_region(src, a, random)});
  } else if (a.random_crop) {
    dst = random_crop(src, a, preset, random);
  } else {
    dst = fit(src, preset);
  }
  if (a.flip && random.uniform() < 0.5) flip_horizontally(dst);
  jitter(dst, a, random);
  return dst;
}

}  // namespace limbic::io
