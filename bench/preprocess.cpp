// Decoding and resizing for bench/preprocess.py, which holds them against Pillow.
//
//   preprocess resize      reads lines "CASE HEIGHT WIDTH TO_HEIGHT TO_WIDTH FILTER PILLOW" (its
//                          major version) and writes the resized pixels of a picture made from CASE
//   preprocess decode      reads lines with the names of pictures and writes "WIDTH HEIGHT\n" and
//                          their pixels
//   preprocess time        reads lines with names of pictures; for each, decodes, prepares it as
//                          torchvision's preset says, on one thread, and writes the seconds
#include <cstdio>
#include <iostream>
#include <sstream>

#include "limbic/core/clock.h"
#include "limbic/core/error.h"
#include "limbic/core/parallel.h"
#include "limbic/io/decode.h"
#include "limbic/io/preset.h"

using namespace limbic;
using namespace limbic::io;

namespace {

// The same integers as in preprocess.py.
Picture make_picture(uint64_t index, int64_t height, int64_t width) {
  Picture picture(height, width);
  for (size_t i = 0; i < picture.pixels.size(); ++i) {
    uint64_t z = index * 0x9E3779B97F4A7C15 + i * 0xBF58476D1CE4E5B9 + 1;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    picture.pixels[i] = static_cast<uint8_t>(z ^ (z >> 31));
  }
  return picture;
}

void write(const Picture& picture) {
  std::fwrite(picture.pixels.data(), 1, picture.pixels.size(), stdout);
}

void resize_case(const std::string& line) {
  std::istringstream in(line);
  uint64_t index = 0;
  int64_t height = 0, width = 0, to_height = 0, to_width = 0, pillow = 0;
  std::string filter;
  in >> index >> height >> width >> to_height >> to_width >> filter >> pillow;
  write(resize(make_picture(index, height, width),
               {.height = to_height,
                .width = to_width,
                .filter = filter_from(filter),
                .order = pillow >= 13 ? PassOrder::pillow_13 : PassOrder::horizontal_first}));
}

}  // namespace

int main(int argc, char** argv) try {
  const std::string mode = argc == 2 ? argv[1] : "";
  require(mode == "resize" || mode == "decode" || mode == "time",
          "usage: preprocess resize|decode|time");
  set_threads(1);
  const Preset preset = find_preset("torchvision");
  std::vector<float> out(static_cast<size_t>(3 * preset.crop * preset.crop));
  for (std::string line; std::getline(std::cin, line);) {
    if (mode == "resize") {
      resize_case(line);
    } else if (mode == "decode") {
      const Picture picture = decode_file(line, {.apply_exif = false});
      std::printf("%ld %ld\n", picture.width, picture.height);
      write(picture);
    } else {
      const double start = now();
      preprocess(decode_file(line, preset.decode_options()), preset, out.data());
      std::printf("%.9f\n", now() - start);
    }
    std::fflush(stdout);
  }
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "preprocess: %s\n", e.what());
  return 1;
}
