// Windows' and OS/2's bitmaps, uncompressed: 1 to 32 bits, palettes, masks, rows from either end.
// Source: BITMAPCOREHEADER, BITMAPINFOHEADER, BITMAPV4HEADER, BITMAPV5HEADER (Microsoft, Windows
// GDI); OS/2 2.x's header has 64 bytes.
#include <algorithm>
#include <array>
#include <bit>

#include "limbic/core/error.h"
#include "limbic/io/formats.h"

namespace limbic::io {
namespace {

uint32_t little(Bytes b, size_t at, size_t width) {
  require(at <= b.size() && width <= b.size() - at, "truncated BMP");
  uint32_t value = 0;
  for (size_t i = 0; i < width; ++i) value |= uint32_t{b[at + i]} << (8 * i);
  return value;
}

struct Header {
  int64_t height = 0, width = 0;
  bool from_the_top = false;
  int64_t bits = 0, offset = 0;
  size_t palette_at = 0, palette_entry = 4;
  int64_t colours = 0;
  std::array<uint32_t, 3> masks{};  // of 16 and 32 bits: red, green, blue

  int64_t row_bytes() const { return (width * bits + 31) / 32 * 4; }
};

Header read_header(Bytes bytes) {
  Header h;
  h.offset = little(bytes, 10, 4);
  const uint32_t header_bytes = little(bytes, 14, 4);
  const bool core = header_bytes == 12;
  require(core || (header_bytes >= 16 && header_bytes <= 124), "a BMP with a header of ",
          header_bytes, " bytes, which is not known");
  const auto field = [&](size_t at, size_t width) {  // 0 where the header ends before it
    return at + width <= header_bytes ? little(bytes, 14 + at, width) : 0;
  };
  const auto height = core ? int64_t{field(6, 2)} : int64_t{static_cast<int32_t>(field(8, 4))};
  h.width = core ? field(4, 2) : int64_t{static_cast<int32_t>(field(4, 4))};
  h.height = height < 0 ? -height : height;
  h.from_the_top = height < 0;
  h.bits = core ? field(10, 2) : field(14, 2);
  const uint32_t compression = core ? 0 : field(16, 4);
  require(h.width > 0 && h.height > 0, "corrupt BMP (a picture of no pixels)");
  require(compression != 1 && compression != 2, "a BMP of packed runs (RLE), which is not read");
  const bool masked = (compression == 3 && header_bytes != 64) || compression == 6;
  require(compression == 0 || masked, "a BMP that holds another format (compression ", compression,
          "), which is not read");
  require(h.bits == 1 || h.bits == 2 || h.bits == 4 || h.bits == 8 || h.bits == 16 ||
              h.bits == 24 || h.bits == 32,
          "a BMP of ", h.bits, " bits a pixel, which is not read");
  size_t at = 14 + size_t{header_bytes};
  if (masked && h.bits >= 16 && h.bits != 24) {
    // In a header of 40 bytes the masks follow it, in longer ones they are a part of it.
    for (size_t c = 0; c < 3; ++c) h.masks[c] = little(bytes, 14 + 40 + 4 * c, 4);
    if (header_bytes < 52) at += compression == 6 ? 16 : 12;
  } else if (h.bits == 16) {
    h.masks = {0x7C00, 0x03E0, 0x001F};
  } else if (h.bits == 32) {
    h.masks = {0xFF0000, 0xFF00, 0xFF};
  }
  if (h.bits <= 8) {
    h.palette_at = at;
    h.palette_entry = core ? 3 : 4;
    const uint32_t used = core ? 0 : field(32, 4);
    const int64_t room =
        (std::max<int64_t>(h.offset, static_cast<int64_t>(at)) - static_cast<int64_t>(at)) /
        static_cast<int64_t>(h.palette_entry);
    h.colours = std::min<int64_t>({used > 0 ? used : int64_t{1} << h.bits, room, 256});
  }
  return h;
}

PictureSize size(Bytes bytes) {
  const Header h = read_header(bytes);
  // The last row may lack its padding.
  const int64_t last = (h.width * h.bits + 7) / 8,
                available = static_cast<int64_t>(bytes.size()) - h.offset;
  require(available >= last && h.height - 1 <= (available - last) / h.row_bytes(), "truncated BMP");
  return {h.height, h.width};
}

// A field of a pixel as 0 to 255.
struct Field {
  uint32_t mask;
  int shift;
  uint64_t most;

  explicit Field(uint32_t m)
      : mask(m), shift(m ? std::countr_zero(m) : 0), most(uint64_t{m} >> shift) {}
  uint8_t operator()(uint32_t pixel) const {
    return most ? static_cast<uint8_t>(uint64_t{(pixel & mask) >> shift} * 255 / most) : 0;
  }
};

Decoded decode(Bytes bytes) {
  const Header h = read_header(bytes);
  // An index beyond the palette is black.
  std::array<std::array<uint8_t, 3>, 256> palette{};
  for (int64_t i = 0; i < h.colours; ++i)
    for (size_t c = 0; c < 3; ++c)
      palette[static_cast<size_t>(i)][c] = static_cast<uint8_t>(
          little(bytes, h.palette_at + static_cast<size_t>(i) * h.palette_entry + 2 - c, 1));
  const Field red(h.masks[0]), green(h.masks[1]), blue(h.masks[2]);
  Decoded out;
  out.picture = Picture(h.height, h.width);
  for (int64_t y = 0; y < h.height; ++y) {
    const uint8_t* src = bytes.data() + h.offset + y * h.row_bytes();
    uint8_t* dst = out.picture.row(h.from_the_top ? y : h.height - 1 - y);
    for (int64_t x = 0; x < h.width; ++x, dst += 3) {
      if (h.bits <= 8) {
        const int64_t bit = x * h.bits;
        const auto index = src[bit / 8] >> (8 - h.bits - bit % 8) & ((1 << h.bits) - 1);
        std::copy_n(palette[static_cast<size_t>(index)].data(), 3, dst);
      } else if (h.bits == 24) {
        for (int64_t c = 0; c < 3; ++c) dst[c] = src[3 * x + 2 - c];
      } else {
        const int64_t width = h.bits / 8;
        uint32_t pixel = 0;
        for (int64_t i = 0; i < width; ++i) pixel |= uint32_t{src[x * width + i]} << (8 * i);
        dst[0] = red(pixel), dst[1] = green(pixel), dst[2] = blue(pixel);
      }
    }
  }
  return out;
}

}  // namespace

// A text may begin with BM; its fourteenth bytes are not a small number.
const Format bmp_format = {"BMP",
                           [](Bytes b) {
                             return has(b, 0, "BM") && has(b, 15, {"\0\0\0", 3});
                           },
                           size, decode, 10};

}  // namespace limbic::io
