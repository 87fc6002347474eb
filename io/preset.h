#pragma once
#include <array>
#include <string>
#include <vector>

#include "limbic/io/decode.h"
#include "limbic/io/resize.h"

namespace limbic::io {

/// How a checkpoint wants its pictures: it belongs to the weights, is saved with every model and is
/// never guessed. In order: decode, (EXIF), resize, centre crop, value * scale, - mean, / std.
struct Preset {
  std::string name;
  Filter filter = Filter::bilinear;
  int64_t short_side = 256;  ///< Resize the short side to this, the long one in proportion; 0: not.
  bool squash = false;       ///< Resize straight to crop x crop instead, whatever the proportions.
  /// Cut the centre square of crop / short_side of the short side out of the picture as it came and
  /// resize that, as TensorFlow's scripts do; otherwise resize first.
  bool crop_first = false;
  int64_t crop = 224;        ///< Height and width of the network's input.
  double scale = 1.0 / 255;  ///< Of pixel values 0-255.
  /// Of scaled values, in the network's channel order.
  std::array<double, 3> mean{}, std{1, 1, 1};
  bool bgr = false;  ///< The network's channel order; pictures are RGB.
  bool apply_exif = false;

  DecodeOptions decode_options() const { return {.apply_exif = apply_exif}; }
  bool operator==(const Preset&) const = default;
};

/// "limbic" (ours: torchvision's with EXIF applied), "torchvision", "torchvision-v2" (short side
/// 232), "timm-bicubic", "timm-a1", "cifar", "keras-caffe", "keras-torch", "keras-tf",
/// "keras-cifar" (pixels as they are), "keras-vww", "caffe", "gluon", "efficientnet-lite0"
/// to "4". Throws Error
/// listing the names. Source: torchvision's ImageClassification presets; timm's default_cfgs;
/// keras.applications.imagenet_utils and load_img(target_size), whose default filter is nearest;
/// mlcommons/tiny's training scripts.
Preset find_preset(const std::string& name);
std::vector<std::string> preset_names();
/// The preset for another input size, the short side in proportion (224 -> 256, 64 -> 73).
/// Throws Error unless 0 < size <= 16384.
Preset with_image_size(Preset preset, int64_t size);

/// One JSON object with the fields of Preset by name; from_json throws Error naming what is wrong.
std::string to_json(const Preset& preset);
Preset preset_from_json(const std::string& text);

/// Where the preset's resize takes a picture of (height, width): torchvision.transforms.Resize, the
/// long side truncated. A side is at least 1.
struct ResizedSize {
  int64_t height, width;
};
ResizedSize resized_size(const Preset& preset, const Picture& src);
/// torchvision.transforms.CenterCrop: halves round to even; beyond the picture where that is
/// smaller.
Region centre_crop(int64_t height, int64_t width, int64_t crop);

/// Resize and centre crop: (H,W) -> (crop,crop), black where the resized picture is smaller.
/// Throws Error where the long side would pass 2^24.
Picture fit(const Picture& src, const Preset& preset);
/// (crop,crop) RGB 0-255 -> f32 (3,crop,crop) at `chw`, scaled and normalised in the network's
/// channel order. Throws Error where the picture has another size.
void normalise(const Picture& src, const Preset& preset, float* chw);
/// fit, then normalise: any picture -> f32 (3,crop,crop).
void preprocess(const Picture& src, const Preset& preset, float* chw);

}  // namespace limbic::io
