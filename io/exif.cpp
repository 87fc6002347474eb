#include <string_view>

#include "limbic/io/formats.h"

namespace limbic::io {
namespace {

// A TIFF block in either byte order. A read outside it clears `ok`.
struct TiffReader {
  Bytes bytes;
  bool big_endian = false;
  bool ok = true;

  uint32_t read(size_t offset, size_t width) {
    if (offset > bytes.size() || width > bytes.size() - offset) {
      ok = false;
      return 0;
    }
    uint32_t value = 0;
    for (size_t i = 0; i < width; ++i)
      value = value << 8 | bytes[offset + (big_endian ? i : width - 1 - i)];
    return value;
  }
};

bool is_orientation(uint32_t value) { return value >= 1 && value <= 8; }

// 0 where there is none.
int exif_orientation(Bytes tiff) {
  constexpr uint32_t orientation_tag = 0x0112, type_short = 3, type_long = 4;
  constexpr size_t entry_size = 12;
  if (has(tiff, 0, {"Exif\0\0", 6})) tiff = tiff.subspan(6);
  if (tiff.size() < 8 || tiff[0] != tiff[1] || (tiff[0] != 'I' && tiff[0] != 'M')) return 0;
  TiffReader reader{tiff, tiff[0] == 'M'};
  if (reader.read(2, 2) != 42) return 0;
  const size_t directory = reader.read(4, 4);
  const uint32_t entries = reader.read(directory, 2);
  for (uint32_t i = 0; i < entries && reader.ok; ++i) {
    const size_t entry = directory + 2 + i * entry_size;
    if (reader.read(entry, 2) != orientation_tag) continue;
    const uint32_t type = reader.read(entry + 2, 2);
    if (type != type_short && type != type_long) return 0;
    const uint32_t value = reader.read(entry + 8, type == type_short ? 2 : 4);
    return reader.ok && is_orientation(value) ? static_cast<int>(value) : 0;
  }
  return 0;
}

// tiff:Orientation="6" or <tiff:Orientation>6<; 0 where there is none.
int xmp_orientation(std::string_view xmp) {
  constexpr std::string_view name = "tiff:Orientation";
  size_t at = xmp.find(name);
  if (at == xmp.npos) return 0;
  at += name.size();
  if (xmp.substr(at, 2) == "=\"") at += 1;
  if (at + 1 >= xmp.size() || (xmp[at] != '"' && xmp[at] != '>')) return 0;
  const auto value = static_cast<uint32_t>(xmp[at + 1] - '0');
  return is_orientation(value) ? static_cast<int>(value) : 0;
}

}  // namespace

int orientation_of(Bytes exif, std::string_view xmp) {
  if (const int found = exif_orientation(exif)) return found;
  if (const int found = xmp_orientation(xmp)) return found;
  return 1;
}

}  // namespace limbic::io
