#include "limbic/io/png.h"

#include <zlib.h>

#include <algorithm>

#include "limbic/core/error.h"

namespace limbic::io {
namespace {

void put32(std::vector<uint8_t>& out, uint64_t value) {
  for (const int shift : {24, 16, 8, 0}) out.push_back(static_cast<uint8_t>(value >> shift));
}

void put_chunk(std::vector<uint8_t>& out, const char (&type)[5], const std::vector<uint8_t>& data) {
  put32(out, data.size());
  const size_t start = out.size();
  out.insert(out.end(), type, type + 4);
  out.insert(out.end(), data.begin(), data.end());
  put32(out, crc32(0, out.data() + start, static_cast<uInt>(out.size() - start)));
}

// Each row is stored as differences to the pixel on its left (filter 1), which deflates well.
std::vector<uint8_t> filtered_rows(const Picture& picture) {
  std::vector<uint8_t> out;
  out.reserve(picture.pixels.size() + static_cast<size_t>(picture.height));
  for (int64_t y = 0; y < picture.height; ++y) {
    out.push_back(1);
    const uint8_t* row = picture.row(y);
    for (int64_t i = 0; i < picture.width * 3; ++i)
      out.push_back(static_cast<uint8_t>(row[i] - (i < 3 ? 0 : row[i - 3])));
  }
  return out;
}

}  // namespace

std::vector<uint8_t> encode_png(const Picture& picture) {
  require(picture.height > 0 && picture.width > 0 && picture.pixels.size() < size_t{1} << 30,
          "PNG: cannot hold a picture of ", picture.width, "x", picture.height);
  const std::vector<uint8_t> rows = filtered_rows(picture);
  uLongf length = compressBound(rows.size());
  std::vector<uint8_t> data(length);
  const int status = compress2(data.data(), &length, rows.data(), rows.size(), 6);
  require(status == Z_OK, "PNG: zlib failed with status ", status);
  data.resize(length);

  std::vector<uint8_t> header;
  put32(header, static_cast<uint64_t>(picture.width));
  put32(header, static_cast<uint64_t>(picture.height));
  header.insert(header.end(), {8, 2, 0, 0, 0});  // 8 bits, RGB, the only compression, filter, order
  std::vector<uint8_t> out = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  put_chunk(out, "IHDR", header);
  put_chunk(out, "IDAT", data);
  put_chunk(out, "IEND", {});
  return out;
}

std::string base64(std::span<const uint8_t> bytes) {
  constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t n = std::min<size_t>(3, bytes.size() - i);
    uint32_t word = 0;
    for (size_t k = 0; k < 3; ++k) word = word << 8 | (k < n ? bytes[i + k] : 0u);
    for (size_t k = 0; k < 4; ++k) out += k <= n ? digits[word >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

}  // namespace limbic::io
