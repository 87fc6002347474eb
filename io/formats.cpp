#include "limbic/io/formats.h"

#include <algorithm>
#include <cstring>

namespace limbic::io {

bool has(Bytes bytes, size_t offset, std::string_view text) {
  return bytes.size() >= offset && bytes.size() - offset >= text.size() &&
         std::memcmp(bytes.data() + offset, text.data(), text.size()) == 0;
}

const Format* format_of(Bytes bytes) {
  for (const Format* format : {&jpeg_format, &png_format, &webp_format, &gif_format, &bmp_format})
    if (format->is(bytes)) return format;
  return nullptr;
}

std::string describe_unknown(Bytes bytes) {
  struct Known {
    size_t offset;
    std::string_view magic;
    const char* what;
  };
  static constexpr Known known[] = {
      {0, {"II*\0", 4}, "a TIFF picture"},
      {0, {"MM\0*", 4}, "a TIFF picture"},
      {0, {"II+\0", 4}, "a BigTIFF picture"},
      {0, {"MM\0+", 4}, "a BigTIFF picture"},
      {4, "ftypavi", "an AVIF picture"},
      {4, "ftyphei", "a HEIC picture"},
      {4, "ftyphev", "a HEIC picture"},
      {4, "ftypmif", "a HEIC or AVIF picture"},
      {4, "ftypmsf", "a HEIC or AVIF picture"},
      {4, "ftyp", "a video or a file of its kind"},
      {0, {"\0\0\0\x0CJXL ", 8}, "a JPEG XL picture"},
      {0, "\xFF\x0A", "a JPEG XL picture"},
      {0, {"\0\0\0\x0CjP  ", 8}, "a JPEG 2000 picture"},
      {0, "\xFF\x4F\xFF\x51", "a JPEG 2000 picture"},
      {0, "8BPS", "a Photoshop file"},
      {0, {"\0\0\1\0", 4}, "an icon (ICO)"},
      {0, "%PDF", "a PDF file"},
      {0, "PK\3\4", "a zip file"},
      {0, "<svg", "an SVG drawing"},
      {0, "<!DOCTYPE", "a web page"},
      {0, "<!doctype", "a web page"},
      {0, "<html", "a web page"},
  };
  for (const Known& k : known)
    if (has(bytes, k.offset, k.magic)) return k.what;
  if (bytes.size() > 2 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '7' &&
      (bytes[2] == '\n' || bytes[2] == ' ' || bytes[2] == '\r'))
    return "a Netpbm picture (PPM)";
  const Bytes head = bytes.first(std::min<size_t>(bytes.size(), 256));
  const auto printable = [](uint8_t c) { return c >= 0x20 || (c >= '\t' && c <= '\r'); };
  if (std::all_of(head.begin(), head.end(), printable)) return "a text file";
  if (std::all_of(bytes.begin(), bytes.end(), [](uint8_t c) { return c == 0; }))
    return "a file of zeros";
  return "";
}

}  // namespace limbic::io
