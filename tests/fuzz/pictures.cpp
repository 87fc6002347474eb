// io/decode.h and io/formats.h.
#include <zlib.h>

#include <algorithm>
#include <cstring>

#include "limbic/io/decode.h"
#include "limbic/io/formats.h"
#include "limbic/io/png.h"
#include "tests/fuzz/target.h"

namespace limbic::fuzz {
namespace {

constexpr int64_t most_pixels = int64_t{1} << 22;

void read_picture(const Bytes& bytes) {
  (void)io::decoded_bytes(bytes);
  io::decode_all(bytes, "x", {.apply_exif = true, .max_pixels = most_pixels});
}

uint32_t big_endian(const Bytes& bytes, size_t at) {
  return static_cast<uint32_t>(bytes[at]) << 24 | static_cast<uint32_t>(bytes[at + 1]) << 16 |
         static_cast<uint32_t>(bytes[at + 2]) << 8 | bytes[at + 3];
}

// A chunk's checksum would keep nearly every change from the decoder.
void read_png(Bytes bytes) {
  for (size_t at = 8; at + 12 <= bytes.size();) {
    const size_t size = big_endian(bytes, at);
    if (size > bytes.size() - at - 12) break;
    const auto crc =
        static_cast<uint32_t>(::crc32(0, bytes.data() + at + 4, static_cast<uInt>(size + 4)));
    for (size_t i = 0; i < 4; ++i)
      bytes[at + 8 + size + i] = static_cast<uint8_t>(crc >> (24 - 8 * i));
    at += size + 12;
  }
  read_picture(bytes);
}

// The first byte says how much is EXIF; the rest is XMP.
void read_orientation(const Bytes& bytes) {
  if (bytes.empty()) return;
  const size_t exif = std::min<size_t>(bytes[0], bytes.size() - 1);
  const io::Bytes all(bytes);
  const std::string xmp(bytes.begin() + static_cast<int64_t>(1 + exif), bytes.end());
  (void)io::orientation_of(all.subspan(1, exif), xmp);
}

std::vector<Bytes> pictures(const std::string& ending) {
  std::vector<Bytes> out = goldens_in("pictures", ending);
  for (Bytes& more : goldens_in("kinds", ending)) out.push_back(std::move(more));
  std::erase_if(out, [](const Bytes& bytes) { return bytes.size() > 3000; });
  return out;
}

std::vector<Bytes> orientations() {
  std::vector<Bytes> out;
  const std::string exif(
      "\x1a\x4d\x4d\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0", 27);
  out.push_back(bytes_of(exif));
  out.push_back(bytes_of(std::string("\0", 1) + "<rdf tiff:Orientation=\"6\"/>"));
  out.push_back(bytes_of(std::string("\0", 1) + "<tiff:Orientation>8</tiff:Orientation>"));
  return out;
}

}  // namespace

std::vector<Target> picture_targets() {
  return {{"jpeg", read_picture, [] { return pictures(".jpg"); }},
          {"png", read_png, [] { return pictures(".png"); }},
          {"webp", read_picture, [] { return goldens({"kinds/fmt_webp_named.jpg"}); }},
          {"gif", read_picture, [] { return pictures(".gif"); }},
          {"bmp", read_picture, [] { return pictures(".bmp"); }},
          {"exif", read_orientation, orientations}};
}

}  // namespace limbic::fuzz
