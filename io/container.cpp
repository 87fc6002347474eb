#include "limbic/io/container.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "limbic/io/jpeg.h"

namespace limbic::io {
namespace {

using Bytes = std::span<const uint8_t>;

bool has(Bytes bytes, size_t offset, std::string_view text) {
  return bytes.size() >= offset && bytes.size() - offset >= text.size() &&
         std::memcmp(bytes.data() + offset, text.data(), text.size()) == 0;
}

// Callers have checked that the bytes are there.
size_t big16(Bytes b, size_t at) { return size_t{b[at]} << 8 | b[at + 1]; }
size_t big32(Bytes b, size_t at) { return big16(b, at) << 16 | big16(b, at + 2); }
size_t little16(Bytes b, size_t at) { return size_t{b[at + 1]} << 8 | b[at]; }
size_t little32(Bytes b, size_t at) { return little16(b, at + 2) << 16 | little16(b, at); }

Container inspect_png(Bytes bytes) {
  Container out;
  for (size_t at = 8; bytes.size() - at >= 12;) {
    const size_t length = big32(bytes, at);
    if (length > bytes.size() - at - 12) break;
    const bool critical = (bytes[at + 4] & 0x20) == 0;
    const uLong checksum = crc32(0, bytes.data() + at + 4, static_cast<uInt>(length + 4));
    if (critical && checksum != big32(bytes, at + 8 + length)) {
      out.problem = "corrupt PNG (a chunk's checksum is wrong)";
      return out;
    }
    if (has(bytes, at + 4, "IEND")) return out;
    if (has(bytes, at + 4, "eXIf")) out.exif = bytes.subspan(at + 8, length);
    at += length + 12;
  }
  out.problem = "truncated PNG";
  return out;
}

Container inspect_gif(Bytes bytes) {
  Container out;
  out.problem = "truncated GIF";
  if (bytes.size() < 13) return out;
  const auto table_bytes = [](uint8_t flags) {
    return flags & 0x80 ? size_t{3} << ((flags & 7) + 1) : size_t{0};
  };
  // Past the sub-blocks that start at `at`, or nothing past the end.
  const auto skip_blocks = [&](size_t at) {
    while (at < bytes.size() && bytes[at] != 0) at += size_t{1} + bytes[at];
    return at + 1;
  };
  size_t at = 13 + table_bytes(bytes[10]);
  while (at < bytes.size()) {
    if (bytes[at] == 0x21) {
      if (has(bytes, at, "\x21\xF9\x04") && bytes.size() - at > 3)
        out.gif_flags_at = static_cast<int64_t>(at + 3);
      at = skip_blocks(at + 2);
    } else if (bytes[at] == 0x2C && at + 10 < bytes.size()) {
      at = skip_blocks(at + 11 + table_bytes(bytes[at + 9]));
      if (at <= bytes.size()) out.problem.clear();
      return out;
    } else {
      if (bytes[at] != 0x2C) out.problem = "a GIF without a picture";
      return out;
    }
  }
  return out;
}

Container inspect_bmp(Bytes bytes) {
  Container out;
  out.problem = "truncated BMP";
  if (bytes.size() < 30) return out;
  const bool core = little32(bytes, 14) == 12;
  const uint64_t width = core ? little16(bytes, 18) : little32(bytes, 18);
  uint64_t height = core ? little16(bytes, 20) : little32(bytes, 22);
  if (height >= uint64_t{1} << 31) height = (uint64_t{1} << 32) - height;  // rows from the top
  const uint64_t bits = std::min<uint64_t>(little16(bytes, core ? 24 : 28), 64);
  const uint64_t row = (width * bits + 31) / 32 * 4;
  const uint64_t offset = little32(bytes, 10);
  if (offset <= bytes.size() && (height == 0 || row <= (bytes.size() - offset) / height))
    out.problem.clear();
  return out;
}

}  // namespace

PictureKind kind_of(Bytes bytes) {
  if (has(bytes, 0, "\xFF\xD8")) return PictureKind::jpeg;
  if (has(bytes, 0, "\x89PNG\r\n\x1A\n")) return PictureKind::png;
  if (has(bytes, 0, "GIF87a") || has(bytes, 0, "GIF89a")) return PictureKind::gif;
  if (has(bytes, 0, "BM")) return PictureKind::bmp;
  return PictureKind::unknown;
}

std::string describe_unknown(Bytes bytes) {
  if (has(bytes, 0, "RIFF") && has(bytes, 8, "WEBP")) return "a WebP picture";
  if (has(bytes, 0, {"II*\0", 4}) || has(bytes, 0, {"MM\0*", 4})) return "a TIFF picture";
  if (has(bytes, 4, "ftyphei") || has(bytes, 4, "ftypmif")) return "a HEIC picture";
  if (has(bytes, 4, "ftypavi")) return "an AVIF picture";
  const Bytes head = bytes.first(std::min<size_t>(bytes.size(), 256));
  const auto printable = [](uint8_t c) { return c >= 0x20 || (c >= '\t' && c <= '\r'); };
  return std::all_of(head.begin(), head.end(), printable) ? "a text file" : "";
}

Container inspect(Bytes bytes, PictureKind kind) {
  switch (kind) {
    case PictureKind::jpeg:
      return inspect_jpeg(bytes);
    case PictureKind::png:
      return inspect_png(bytes);
    case PictureKind::gif:
      return inspect_gif(bytes);
    case PictureKind::bmp:
      return inspect_bmp(bytes);
    case PictureKind::unknown:
      break;
  }
  return {.problem = "not a picture"};
}

}  // namespace limbic::io
