#include "limbic/io/jpeg.h"

#include <array>
#include <cstring>
#include <map>
#include <string_view>

namespace limbic::io {
namespace {

using Bytes = std::span<const uint8_t>;

enum Marker : uint8_t {
  dht = 0xC4,
  rst0 = 0xD0,
  rst7 = 0xD7,
  soi = 0xD8,
  eoi = 0xD9,
  sos = 0xDA,
  dqt = 0xDB,
  app1 = 0xE1,
  app14 = 0xEE
};

bool is_frame(uint8_t code) {
  return code >= 0xC0 && code <= 0xCF && code != dht && code != 0xC8 && code != 0xCC;
}

bool starts_with(Bytes bytes, std::string_view text) {
  return bytes.size() >= text.size() && std::memcmp(bytes.data(), text.data(), text.size()) == 0;
}

// The position of the next marker's code byte at or after `at`; size() where there is none.
// `in_scan`: 0xFF00 and restart markers belong to the entropy-coded data.
size_t next_marker(Bytes bytes, size_t at, bool in_scan) {
  while (at < bytes.size()) {
    const void* found = std::memchr(bytes.data() + at, 0xFF, bytes.size() - at);
    if (!found) return bytes.size();
    at = static_cast<size_t>(static_cast<const uint8_t*>(found) - bytes.data()) + 1;
    while (at < bytes.size() && bytes[at] == 0xFF) ++at;
    if (at == bytes.size()) return at;
    const uint8_t code = bytes[at];
    if (code == 0x00 || (in_scan && code >= rst0 && code <= rst7)) continue;
    return at;
  }
  return at;
}

// What the segments have defined so far. Each function takes a segment's body and returns whether
// the decoder may see it.
class Tables {
 public:
  // Each table: class and number, 16 counts of codes by length, their symbols.
  bool huffman(Bytes body) {
    constexpr size_t head = 17, looked_up_bits = 9;
    while (!body.empty()) {
      if (body.size() < head) return false;
      size_t symbols = 0, longest = 0;
      for (size_t length = 1; length <= 16; ++length) {
        symbols += body[length];
        if (body[length] > 0) longest = length;
      }
      // The decoder's arrays hold 256 codes, and it mistakes a short 256th one for a long one.
      if (symbols > 256 || (symbols == 256 && longest <= looked_up_bits)) return false;
      if (body.size() < head + symbols || body[0] >> 4 > 1 || (body[0] & 15) > 3) return false;
      has_huffman_[body[0] >> 4][body[0] & 15] = true;
      body = body.subspan(head + symbols);
    }
    return true;
  }

  bool quantisation(Bytes body) {
    while (!body.empty()) {
      const size_t size = body[0] >> 4 ? 129 : 65;
      if (body.size() < size || (body[0] & 15) > 3) return false;
      has_quantisation_[body[0] & 15] = true;
      body = body.subspan(size);
    }
    return true;
  }

  bool frame(uint8_t code, Bytes body) {
    if (body.size() < 6 || body.size() != 6 + size_t{3} * body[5]) return false;
    progressive_ = code == 0xC2;
    for (size_t i = 6; i < body.size(); i += 3) quantisation_of_[body[i]] = body[i + 2];
    return true;
  }

  // The components of the scan with their table numbers, then Ss, Se, Ah and Al.
  bool scan(Bytes body) const {
    if (body.empty() || body.size() != 4 + size_t{2} * body[0]) return false;
    const bool starts_at_dc = body[body.size() - 3] == 0;
    const bool refines = body[body.size() - 1] >> 4 != 0;
    for (size_t i = 1; i + 3 < body.size(); i += 2) {
      const auto quantisation = quantisation_of_.find(body[i]);
      const size_t dc = body[i + 1] >> 4, ac = body[i + 1] & 15;
      if (quantisation == quantisation_of_.end() || quantisation->second > 3 || dc > 3 || ac > 3 ||
          !has_quantisation_[quantisation->second])
        return false;
      const bool needs_dc = !progressive_ || (starts_at_dc && !refines);
      const bool needs_ac = !progressive_ || !starts_at_dc;
      if ((needs_dc && !has_huffman_[0][dc]) || (needs_ac && !has_huffman_[1][ac])) return false;
    }
    return true;
  }

 private:
  std::array<std::array<bool, 4>, 2> has_huffman_{};  // by class (DC, AC) and number
  std::array<bool, 4> has_quantisation_{};
  std::map<uint8_t, uint8_t> quantisation_of_;  // by component
  bool progressive_ = false;
};

// Takes one segment in; false where it is damaged.
bool read_segment(uint8_t code, Bytes body, size_t position, Tables& tables, Container& out) {
  if (code == app1 && out.exif.empty() && starts_with(body, {"Exif\0\0", 6}))
    out.exif = body.subspan(6);
  if (code == app14 && body.size() >= 12 && starts_with(body, "Adobe"))
    out.adobe_transform_at = static_cast<int64_t>(position + 11);
  if (code == dht) return tables.huffman(body);
  if (code == dqt) return tables.quantisation(body);
  if (code == sos) return tables.scan(body);
  if (!is_frame(code)) return true;
  if (out.components != 0 || !tables.frame(code, body)) return false;
  out.components = body[5];
  return true;
}

}  // namespace

Container inspect_jpeg(Bytes bytes) {
  constexpr int most_scans = 256;  // more would only serve to keep the decoder busy for hours
  Container out;
  Tables tables;
  bool in_scan = false;
  for (size_t at = 2;;) {
    at = next_marker(bytes, at, in_scan);
    in_scan = false;
    if (at >= bytes.size()) break;
    const uint8_t code = bytes[at++];
    if (code == eoi) {
      if (out.scans == 0) out.problem = "a JPEG without picture data";
      return out;
    }
    if (code == 0x01 || (code >= rst0 && code <= soi)) continue;  // these have no length
    if (bytes.size() - at < 2) break;
    const size_t length = size_t{bytes[at]} << 8 | bytes[at + 1];
    if (length > bytes.size() - at) break;
    if (length < 2 || !read_segment(code, bytes.subspan(at + 2, length - 2), at + 2, tables, out)) {
      out.problem = "corrupt JPEG";
      return out;
    }
    at += length;
    in_scan = code == sos;
    if (in_scan && ++out.scans > most_scans) {
      out.problem = "a JPEG of too many scans";
      return out;
    }
  }
  out.problem = "truncated JPEG";
  return out;
}

std::vector<uint8_t> with_adobe_segment(Bytes bytes, const Container& found) {
  std::vector<uint8_t> out(bytes.begin(), bytes.end());
  if (found.adobe_transform_at < 0) {
    constexpr uint8_t cmyk[] = {0xFF, 0xEE, 0, 14, 'A', 'd', 'o', 'b', 'e', 0, 100, 0, 0, 0, 0, 0};
    out.insert(out.begin() + 2, std::begin(cmyk), std::end(cmyk));
  } else if (uint8_t& transform = out[static_cast<size_t>(found.adobe_transform_at)];
             transform != 0) {
    transform = 2;  // YCCK
  }
  return out;
}

}  // namespace limbic::io
