#include "limbic/io/exif.h"

namespace limbic::io {
namespace {

// A TIFF block in either byte order. A read outside it clears `ok`.
struct TiffReader {
  std::span<const uint8_t> bytes;
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

}  // namespace

int exif_orientation(std::span<const uint8_t> tiff) {
  constexpr uint32_t orientation_tag = 0x0112, type_short = 3;
  constexpr size_t entry_size = 12;
  if (tiff.size() < 8 || tiff[0] != tiff[1] || (tiff[0] != 'I' && tiff[0] != 'M')) return 1;
  TiffReader reader{tiff, tiff[0] == 'M'};
  if (reader.read(2, 2) != 42) return 1;
  const size_t directory = reader.read(4, 4);
  const uint32_t entries = reader.read(directory, 2);
  for (uint32_t i = 0; i < entries && reader.ok; ++i) {
    const size_t entry = directory + 2 + i * entry_size;
    if (reader.read(entry, 2) != orientation_tag) continue;
    const bool is_short = reader.read(entry + 2, 2) == type_short;
    const uint32_t value = reader.read(entry + 8, is_short ? 2 : 4);
    return reader.ok && value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

}  // namespace limbic::io
