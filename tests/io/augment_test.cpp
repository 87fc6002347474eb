#include "limbic/io/augment.h"

#include <doctest/doctest.h>

#include <set>

#include "tests/io/pictures.h"

using namespace limbic;
using namespace limbic::io;
using namespace limbic::testing;

TEST_CASE("augment: nothing asked for is the preset's fit") {
  const Picture src = random_picture(50, 70, 1);
  const Preset preset = with_image_size(find_preset("torchvision"), 32);
  Random random(0);
  CHECK(augment(src, {}, preset, random) == fit(src, preset));
}

TEST_CASE("augment: the rectangles of a random resized crop") {
  const Augmentation a{.random_resized_crop = true};
  const Picture src(120, 200);
  double least = 1, most = 0;
  for (uint64_t i = 0; i < 2000; ++i) {
    Random random(5, i);
    const Region r = random_resized_region(src, a, random);
    REQUIRE(r.top >= 0);
    REQUIRE(r.left >= 0);
    REQUIRE(r.top + r.height <= 120);
    REQUIRE(r.left + r.width <= 200);
    const double share = static_cast<double>(r.height * r.width) / (120.0 * 200);
    const double ratio = static_cast<double>(r.width) / static_cast<double>(r.height);
    least = std::min(least, share);
    most = std::max(most, share);
    CHECK(ratio > 0.72);
    CHECK(ratio < 1.38);
  }
  CHECK(least < 0.1);
  CHECK(least > 0.07);
  CHECK(most > 0.75);
  // Nothing fits a strip: the largest central rectangle of an allowed ratio.
  Random random(1);
  CHECK(random_resized_region(Picture(10, 20000), a, random) == Region{0, 9993, 10, 13});
  CHECK(random_resized_region(Picture(20000, 9), a, random) == Region{9994, 0, 12, 9});
  CHECK(random_resized_region(Picture(1, 1), a, random) == Region{0, 0, 1, 1});
}

TEST_CASE("augment: a padded crop is a window of the padded picture") {
  const Picture src = random_picture(32, 32, 9);
  const Preset preset = find_preset("cifar");
  const Augmentation a{.random_crop = true, .padding = 4};
  std::set<std::pair<int64_t, int64_t>> seen;
  for (uint64_t i = 0; i < 1000; ++i) {
    Random random(3, i);
    const Picture dst = augment(src, a, preset, random);
    bool found = false;
    for (int64_t top = -4; top <= 4 && !found; ++top)
      for (int64_t left = -4; left <= 4 && !found; ++left)
        if (dst == crop(src, {top, left, 32, 32})) {
          found = true;
          seen.insert({top, left});
        }
    REQUIRE(found);
  }
  CHECK(seen.size() == 81);
  // Without padding: windows of the resized picture, each inside it.
  const Preset half = [] {
    Preset p = with_image_size(find_preset("cifar"), 16);
    p.short_side = 20;
    return p;
  }();
  const Picture whole = resize(src, {.height = 20, .width = 20});
  Random random(4);
  const Picture dst = augment(src, {.random_crop = true}, half, random);
  bool found = false;
  for (int64_t top = 0; top <= 4; ++top)
    for (int64_t left = 0; left <= 4; ++left)
      found = found || dst == crop(whole, {top, left, 16, 16});
  CHECK(found);
  // More padding than picture.
  CHECK(augment(src, {.random_crop = true, .padding = 500}, preset, random).height == 32);
}

TEST_CASE("augment: flips come one time in two") {
  const Picture src = random_picture(16, 16, 2);
  Picture mirrored = src;
  flip_horizontally(mirrored);
  CHECK(std::equal(src.row(3), src.row(3) + 3, mirrored.row(3) + 15 * 3));
  const Preset preset = with_image_size(find_preset("cifar"), 16);
  int flips = 0;
  for (uint64_t i = 0; i < 1000; ++i) {
    Random random(8, i);
    const Picture dst = augment(src, {.flip = true}, preset, random);
    const bool flipped = dst == mirrored;
    CHECK((flipped || dst == src));
    flips += flipped;
  }
  CHECK(flips > 430);
  CHECK(flips < 570);
}

TEST_CASE("augment: colours as Pillow's ImageEnhance changes them") {
  Picture src(1, 2);
  src.pixels = {200, 100, 50, 10, 20, 30};
  const auto after = [&src](void (*adjust)(Picture&, double), double factor) {
    Picture picture = src;
    adjust(picture, factor);
    return picture.pixels;
  };
  using Pixels = std::vector<uint8_t>;
  // Pillow 9.4.0: ImageEnhance.Brightness(p).enhance(1.5), .Contrast(0.5), .Contrast(1.7),
  // .Color(0.25), .Color(1.5)
  CHECK(after(adjust_brightness, 1.5) == Pixels{255, 150, 75, 15, 30, 45});
  CHECK(after(adjust_contrast, 0.5) == Pixels{135, 85, 60, 40, 45, 50});
  CHECK(after(adjust_contrast, 1.7) == Pixels{255, 120, 35, 0, 0, 1});
  CHECK(after(adjust_saturation, 0.25) == Pixels{143, 118, 105, 16, 18, 21});
  CHECK(after(adjust_saturation, 1.5) == Pixels{238, 88, 13, 6, 21, 36});
  for (auto* adjust : {adjust_brightness, adjust_contrast, adjust_saturation})
    CHECK(after(adjust, 1) == src.pixels);
}

TEST_CASE("augment: equal keys, equal pictures; fields out of range are named") {
  const Picture src = random_picture(90, 60, 4);
  const Preset preset = with_image_size(find_preset("limbic"), 24);
  const Augmentation a{.random_resized_crop = true,
                       .flip = true,
                       .brightness = 0.4,
                       .contrast = 0.4,
                       .saturation = 0.4};
  Random first(1, 2), again(1, 2), other(1, 3);
  const Picture picture = augment(src, a, preset, first);
  CHECK(picture == augment(src, a, preset, again));
  CHECK(picture != augment(src, a, preset, other));
  CHECK_NOTHROW(check(a));
  CHECK_THROWS_AS(check({.random_resized_crop = true, .random_crop = true}), Error);
  CHECK_THROWS_AS(check({.min_scale = 0}), Error);
  CHECK_THROWS_AS(check({.min_ratio = 2}), Error);
  CHECK_THROWS_AS(check({.padding = -1}), Error);
  CHECK_THROWS_AS(check({.contrast = -0.1}), Error);
}
