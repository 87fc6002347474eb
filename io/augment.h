#pragma once
#include "limbic/core/random.h"
#include "limbic/io/picture.h"
#include "limbic/io/preset.h"

namespace limbic::io {

/// What may happen to a training picture, in this order: a crop, a flip, colour. Off by default.
struct Augmentation {
  /// A rectangle of random area (as a share of the picture) and proportions, resized to crop x
  /// crop. Source: torchvision.transforms.RandomResizedCrop.
  bool random_resized_crop = false;
  double min_scale = 0.08, max_scale = 1;
  double min_ratio = 3.0 / 4, max_ratio = 4.0 / 3;
  /// After the preset's resize: black padding on all sides, then a random crop x crop window
  /// (padding 4 is CIFAR's). Not together with random_resized_crop.
  bool random_crop = false;
  int64_t padding = 0;
  bool flip = false;  ///< Left and right, one time in two.
  /// Each factor is drawn from [max(0, 1 - x), 1 + x], the order is random; 0 leaves out.
  /// Source: torchvision.transforms.ColorJitter over Pillow's ImageEnhance.
  double brightness = 0, contrast = 0, saturation = 0;

  bool operator==(const Augmentation&) const = default;
};

/// Its fields as a JSON array, in their order: equal ones draw equal pictures.
std::string to_json(const Augmentation& augmentation);

/// Throws Error naming the field that is out of range.
void check(const Augmentation& augmentation);

/// (H,W) -> (crop,crop), 0-255; `normalise` makes the network's input of it. All randomness comes
/// from `random`, which the loader keys by (seed, epoch, sample).
Picture augment(const Picture& src, const Augmentation& augmentation, const Preset& preset,
                Random& random);

/// The rectangle that RandomResizedCrop would draw: ten tries, then the largest central one whose
/// proportions are allowed.
Region random_resized_region(const Picture& src, const Augmentation& augmentation, Random& random);

/// value * factor, towards or away from the mean grey, towards or away from grey; as Pillow rounds.
void adjust_brightness(Picture& picture, double factor);
void adjust_contrast(Picture& picture, double factor);
void adjust_saturation(Picture& picture, double factor);

}  // namespace limbic::io
