#include "limbic/io/preset.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "limbic/core/error.h"
#include "limbic/core/json_numbers.h"

namespace limbic::io {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t largest_crop = 16384;
constexpr std::array<double, 3> imagenet_mean{0.485, 0.456, 0.406},
    imagenet_std{0.229, 0.224, 0.225};

std::vector<Preset> make_presets() {
  Preset torchvision{.name = "torchvision", .mean = imagenet_mean, .std = imagenet_std};
  Preset limbic = torchvision;
  limbic.name = "limbic";
  limbic.apply_exif = true;
  Preset cifar = torchvision;
  cifar.name = "cifar";
  cifar.short_side = cifar.crop = 32;
  Preset keras_torch = torchvision;
  keras_torch.name = "keras-torch";
  keras_torch.filter = Filter::nearest;
  keras_torch.short_side = 0;
  keras_torch.squash = true;
  Preset keras_caffe = keras_torch;
  keras_caffe.name = "keras-caffe";
  keras_caffe.scale = 1;
  keras_caffe.mean = {103.939, 116.779, 123.68};
  keras_caffe.std = {1, 1, 1};
  keras_caffe.bgr = true;
  Preset keras_tf = keras_torch;
  keras_tf.name = "keras-tf";
  keras_tf.scale = 1 / 127.5;
  keras_tf.mean = keras_tf.std = {1, 1, 1};
  Preset torchvision_v2 = torchvision;
  torchvision_v2.name = "torchvision-v2";
  torchvision_v2.short_side = 232;
  Preset timm_bicubic = torchvision;  // crop_pct 0.875
  timm_bicubic.name = "timm-bicubic";
  timm_bicubic.filter = Filter::bicubic;
  Preset timm_a1 = timm_bicubic;  // crop_pct 0.95: the short side is 224 / 0.95, rounded down
  timm_a1.name = "timm-a1";
  timm_a1.short_side = 235;
  Preset keras_cifar = keras_caffe;
  keras_cifar.name = "keras-cifar";
  keras_cifar.crop = 32;
  keras_cifar.mean = {};
  keras_cifar.bgr = false;
  Preset keras_vww = keras_cifar;
  keras_vww.name = "keras-vww";
  keras_vww.crop = 96;
  keras_vww.scale = 1.0 / 255;
  std::vector<Preset> all = {limbic,   torchvision, torchvision_v2, timm_bicubic,
                             timm_a1,  cifar,       keras_caffe,    keras_torch,
                             keras_tf, keras_cifar, keras_vww};
  Preset caffe = keras_caffe;
  caffe.name = "caffe";
  caffe.filter = Filter::bilinear;
  caffe.short_side = 256;
  caffe.squash = false;
  caffe.crop = 227;
  all.push_back(caffe);
  Preset gluon = torchvision;  // 0.875 of the short side is cut out first
  gluon.name = "gluon";
  gluon.crop_first = true;
  all.push_back(gluon);
  constexpr int64_t lite_sizes[] = {224, 240, 260, 280, 300};
  for (int64_t i = 0; i < std::ssize(lite_sizes); ++i)
    all.push_back({.name = str_cat("efficientnet-lite", i),
                   .filter = Filter::bicubic,
                   .short_side = lite_sizes[i] + 32,
                   .crop_first = true,
                   .crop = lite_sizes[i],
                   .scale = 1.0 / 128,
                   .mean = {127.0 / 128, 127.0 / 128, 127.0 / 128}});
  return all;
}

const std::vector<Preset>& presets() {
  static const std::vector<Preset> all = make_presets();
  return all;
}

// The network's input for a pixel of value v, rounded to f32 after each step, as torch does.
float normalised(int v, const Preset& preset, size_t channel) {
  return (static_cast<float>(v * preset.scale) - static_cast<float>(preset.mean[channel])) /
         static_cast<float>(preset.std[channel]);
}

void check(const Preset& preset) {
  const std::string where = str_cat("preset \"", preset.name, "\": ");
  require(preset.crop > 0 && preset.crop <= largest_crop, where, "expected a crop of 1 to ",
          largest_crop, ", got ", preset.crop);
  require(preset.short_side >= 0 && preset.short_side <= 2 * largest_crop, where,
          "expected a short_side of 0 to ", 2 * largest_crop, ", got ", preset.short_side);
  // Whatever the three numbers are, what matters is what they make of pixels.
  constexpr float largest = 1e6f;
  for (size_t c = 0; c < 3; ++c) {
    const float black = normalised(0, preset, c), white = normalised(255, preset, c);
    require(std::abs(black) <= largest && std::abs(white) <= largest && black != white &&
                preset.std[c] > 0,
            where, "scale, mean and std make ", black, " of black and ", white, " of white");
  }
}

// (a - b) / 2 as Python's round() gives it: halves go to the even neighbour.
int64_t half_to_even(int64_t difference) {
  const int64_t floor = difference / 2;
  return difference % 2 == 0 ? floor : floor + floor % 2;
}

}  // namespace

Preset find_preset(const std::string& name) {
  for (const Preset& preset : presets())
    if (preset.name == name) return preset;
  std::string names;
  for (const std::string& known : preset_names()) names += (names.empty() ? "" : ", ") + known;
  fail("no preset \"", name, "\"; there are ", names);
}

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const Preset& preset : presets()) names.push_back(preset.name);
  return names;
}

Preset with_image_size(Preset preset, int64_t size) {
  require(size > 0 && size <= largest_crop, "image size: expected 1 to ", largest_crop, ", got ",
          size);
  preset.short_side = std::llround(static_cast<double>(preset.short_side) *
                                   static_cast<double>(size) / static_cast<double>(preset.crop));
  preset.crop = size;
  return preset;
}

std::string to_json(const Preset& p) {
  return Json{{"name", p.name},
              {"filter", to_string(p.filter)},
              {"short_side", p.short_side},
              {"squash", p.squash},
              {"crop_first", p.crop_first},
              {"crop", p.crop},
              {"scale", p.scale},
              {"mean", p.mean},
              {"std", p.std},
              {"bgr", p.bgr},
              {"apply_exif", p.apply_exif}}
      .dump();
}

namespace {

std::array<double, 3> three_numbers(const Json& json, const char* key) {
  const Json& list = json.at(key);
  require(list.is_array() && list.size() == 3, "preset: ", key, ": expected three numbers, got ",
          list.dump());
  std::array<double, 3> out{};
  for (size_t c = 0; c < 3; ++c) out[c] = finite_number(list[c], str_cat("preset: ", key));
  return out;
}

}  // namespace

Preset preset_from_json(const std::string& text) {
  Preset p;
  try {
    const Json json = parse_json<Json>(text, "preset");
    json.at("name").get_to(p.name);
    p.filter = filter_from(json.at("filter").get<std::string>());
    p.short_side = whole_number(json.at("short_side"), "preset: short_side", 0, 2 * largest_crop);
    json.at("squash").get_to(p.squash);
    p.crop_first = json.value("crop_first", false);  // since 2026-11-27
    p.crop = whole_number(json.at("crop"), "preset: crop", 1, largest_crop);
    p.scale = finite_number(json.at("scale"), "preset: scale");
    p.mean = three_numbers(json, "mean");
    p.std = three_numbers(json, "std");
    json.at("bgr").get_to(p.bgr);
    json.at("apply_exif").get_to(p.apply_exif);
  } catch (const Json::exception& error) {
    fail("preset: not the JSON that was expected: ", error.what());
  }
  check(p);
  return p;
}

ResizedSize resized_size(const Preset& preset, const Picture& src) {
  if (preset.squash) return {preset.crop, preset.crop};
  if (preset.short_side == 0) return {src.height, src.width};
  const int64_t side = preset.short_side;
  if (src.width <= src.height) return {side * src.height / src.width, side};
  return {side, side * src.width / src.height};
}

Region centre_crop(int64_t height, int64_t width, int64_t crop) {
  const auto offset = [crop](int64_t size) {
    return size >= crop ? half_to_even(size - crop) : -((crop - size) / 2);
  };
  return {offset(height), offset(width), crop, crop};
}

Picture fit(const Picture& src, const Preset& preset) {
  require(src.height > 0 && src.width > 0, "preset \"", preset.name, "\": an empty picture");
  if (preset.crop_first) {
    const int64_t side = std::max<int64_t>(1, std::min(src.height, src.width) * preset.crop /
                                                  std::max(preset.crop, preset.short_side));
    const Region square{(src.height - side) / 2, (src.width - side) / 2, side, side};
    return resize(
        src,
        {.height = preset.crop, .width = preset.crop, .filter = preset.filter, .source = square});
  }
  const ResizedSize size = resized_size(preset, src);
  require(std::max(size.height, size.width) <= int64_t{1} << 24, "preset \"", preset.name,
          "\": a picture of ", src.width, "x", src.height, " would become ", size.width, "x",
          size.height);
  // Only what the crop keeps is computed.
  const Region window = centre_crop(size.height, size.width, preset.crop);
  const int64_t top = std::max<int64_t>(0, window.top), left = std::max<int64_t>(0, window.left);
  const Region part{top, left, std::min(size.height, window.top + window.height) - top,
                    std::min(size.width, window.left + window.width) - left};
  Picture dst = resize(
      src, {.height = size.height, .width = size.width, .filter = preset.filter, .part = part});
  if (dst.height == preset.crop && dst.width == preset.crop) return dst;
  return crop(dst, {std::min<int64_t>(0, window.top), std::min<int64_t>(0, window.left),
                    preset.crop, preset.crop});
}

void normalise(const Picture& src, const Preset& preset, float* chw) {
  require(src.height == preset.crop && src.width == preset.crop, "preset \"", preset.name,
          "\": expected a picture of ", preset.crop, "x", preset.crop, ", got ", src.width, "x",
          src.height);
  const int64_t pixels = src.height * src.width;
  for (size_t c = 0; c < 3; ++c) {
    float table[256];
    for (int v = 0; v < 256; ++v) table[v] = normalised(v, preset, c);
    const uint8_t* in = src.pixels.data() + (preset.bgr ? 2 - c : c);
    float* out = chw + static_cast<int64_t>(c) * pixels;
    for (int64_t i = 0; i < pixels; ++i) out[i] = table[in[i * 3]];
  }
}

void preprocess(const Picture& src, const Preset& preset, float* chw) {
  normalise(fit(src, preset), preset, chw);
}

}  // namespace limbic::io
