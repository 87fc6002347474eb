#include "limbic/io/preset.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/io/pictures.h"

using namespace limbic;
using namespace limbic::io;
using namespace limbic::testing;

TEST_CASE("preset: names, sizes, JSON") {
  for (const std::string& name : preset_names()) {
    CAPTURE(name);
    const Preset preset = find_preset(name);
    CHECK(preset.name == name);
    CHECK(preset_from_json(to_json(preset)) == preset);
  }
  const std::string message = error_of([] { find_preset("imagenet"); });
  for (const std::string& name : preset_names()) CHECK(message.find(name) != std::string::npos);
  const Preset small = with_image_size(find_preset("torchvision"), 64);
  CHECK(small.crop == 64);
  CHECK(small.short_side == 73);
  CHECK(with_image_size(find_preset("limbic"), 224) == find_preset("limbic"));
  CHECK(with_image_size(find_preset("keras-tf"), 96).short_side == 0);
  CHECK_THROWS_AS(with_image_size(small, 0), Error);
  CHECK_THROWS_AS(with_image_size(small, 1 << 20), Error);
}

TEST_CASE("preset: JSON of someone else is checked") {
  const std::string good = to_json(find_preset("limbic"));
  const auto changed = [&good](const std::string& from, const std::string& to) {
    std::string text = good;
    const size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
  };
  CHECK_NOTHROW(preset_from_json(good));
  CHECK_THROWS_AS(preset_from_json(""), Error);
  CHECK_THROWS_AS(preset_from_json("[]"), Error);
  CHECK_THROWS_AS(preset_from_json(good.substr(0, good.size() / 2)), Error);
  CHECK_THROWS_AS(preset_from_json(changed("\"crop\":224", "\"crop\":-1")), Error);
  CHECK_THROWS_AS(preset_from_json(changed("\"crop\":224", "\"crop\":\"x\"")), Error);
  CHECK_THROWS_AS(preset_from_json(changed("\"crop\"", "\"cut\"")), Error);
  CHECK_THROWS_AS(preset_from_json(changed("bilinear", "cubic")), Error);
  CHECK_THROWS_AS(preset_from_json(changed("0.229", "0.0")), Error);
}

TEST_CASE("preset: torchvision's rounding") {
  const Preset preset = find_preset("torchvision");
  const auto size = [&](int64_t height, int64_t width) {
    const ResizedSize s = resized_size(preset, Picture(height, width));
    return Region{0, 0, s.height, s.width};
  };
  CHECK(size(375, 500) == Region{0, 0, 256, 341});  // int(256 * 500 / 375) of 341.33
  CHECK(size(500, 333) == Region{0, 0, 384, 256});  // of 384.38
  CHECK(size(10, 20000) == Region{0, 0, 256, 512000});
  CHECK(size(1, 1) == Region{0, 0, 256, 256});
  // Python: round(0.5) = 0, round(1.5) = 2, round(58.5) = 58.
  CHECK(centre_crop(225, 227, 224) == Region{0, 2, 224, 224});
  CHECK(centre_crop(256, 341, 224) == Region{16, 58, 224, 224});
  CHECK(centre_crop(223, 221, 224) == Region{0, -1, 224, 224});
}

TEST_CASE("preset: fit is resize, then crop") {
  for (const auto& [height, width] :
       {std::pair<int64_t, int64_t>{375, 500}, {301, 200}, {40, 40}, {256, 256}, {3, 90}}) {
    const Picture src = random_picture(height, width, 3);
    Preset preset = find_preset("torchvision");
    const ResizedSize size = resized_size(preset, src);
    const Picture whole = resize(src, {.height = size.height, .width = size.width});
    CHECK(fit(src, preset) == crop(whole, centre_crop(size.height, size.width, 224)));
    preset.short_side = 100;  // smaller than the crop: black borders
    const ResizedSize small = resized_size(preset, src);
    const Picture little = resize(src, {.height = small.height, .width = small.width});
    CHECK(fit(src, preset) == crop(little, centre_crop(small.height, small.width, 224)));
  }
  const Picture tiny = random_picture(32, 32, 5);
  CHECK(fit(tiny, find_preset("cifar")) == tiny);
  CHECK(fit(random_picture(10, 20000, 1), find_preset("limbic")).width == 224);
  CHECK(fit(Picture(1, 1), find_preset("keras-tf")).height == 224);
  CHECK_THROWS_AS(fit(Picture(), find_preset("limbic")), Error);
  CHECK_THROWS_AS(fit(Picture(1, 1 << 20), find_preset("limbic")), Error);
}

TEST_CASE("preset: normalisation") {
  Picture src(1, 1);
  src.pixels = {255, 128, 0};
  const auto values = [&src](const std::string& name) {
    std::vector<float> out(3);
    normalise(src, with_image_size(find_preset(name), 1), out.data());
    return out;
  };
  const auto torch = values("torchvision");
  CHECK(torch[0] == doctest::Approx((1 - 0.485) / 0.229));
  CHECK(torch[1] == doctest::Approx((128.0 / 255 - 0.456) / 0.224));
  CHECK(torch[2] == doctest::Approx(-0.406 / 0.225));
  const auto caffe = values("keras-caffe");  // BGR
  CHECK(caffe[0] == doctest::Approx(-103.939));
  CHECK(caffe[1] == doctest::Approx(128 - 116.779));
  CHECK(caffe[2] == doctest::Approx(255 - 123.68));
  CHECK(values("keras-torch") == torch);
  const auto tf = values("keras-tf");
  CHECK(tf[0] == doctest::Approx(1));
  CHECK(tf[2] == doctest::Approx(-1));
  // To the last bit what torch computes in f32: v / 255, - mean, / std.
  const Preset preset = with_image_size(find_preset("torchvision"), 16);
  Picture all(16, 16);
  for (size_t i = 0; i < all.pixels.size(); ++i) all.pixels[i] = static_cast<uint8_t>(i / 3);
  std::vector<float> chw(3 * 256);
  normalise(all, preset, chw.data());
  for (size_t v = 0; v < 256; ++v)
    CHECK(chw[v] == (static_cast<float>(v) / 255.0f - 0.485f) / 0.229f);
  CHECK_THROWS_AS(normalise(Picture(3, 4), preset, chw.data()), Error);
}

TEST_CASE("preset: numbers that are none, or make none of pixels, are refused") {
  const auto with = [](const std::string& from, const std::string& to) {
    std::string text = to_json(find_preset("torchvision"));
    const size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    return error_of([&] { preset_from_json(text.replace(at, from.size(), to)); });
  };
  CHECK(with("0.229", "0.229") == "");
  CHECK(with("224", "224.0") == "");
  CHECK(with("224", "224.9").find("crop: expected a whole number") != std::string::npos);
  CHECK(with("224", "1e30").find("crop") != std::string::npos);
  CHECK(with("224", "true").find("crop: expected a finite number") != std::string::npos);
  CHECK(with("256", "-1").find("short_side") != std::string::npos);
  CHECK(with("0.485", "0.485,0.4").find("three numbers") != std::string::npos);
  CHECK(with("0.485,", "").find("three numbers") != std::string::npos);
  CHECK(with("0.485", "1e999") != "");
  CHECK(with("0.485", "null").find("mean: expected a finite number") != std::string::npos);
  CHECK(with("0.485", "1e300").find("of black") != std::string::npos);
  CHECK(with("0.229", "1e-60").find("of black") != std::string::npos);
  CHECK(with("0.229", "1e-30").find("of black") != std::string::npos);
  CHECK(with("0.229", "-1").find("of black") != std::string::npos);
  CHECK(with("\"scale\":", "\"scale\":0,\"other\":").find("of black") != std::string::npos);
}
