#pragma once
#include <cstdint>
#include <span>
#include <string>

namespace limbic::io {

enum class PictureKind { jpeg, png, bmp, gif, unknown };

/// By the first bytes; a file's name proves nothing.
PictureKind kind_of(std::span<const uint8_t> bytes);
/// What an unreadable file is, for the message: "a WebP picture", "a text file", ... or "".
std::string describe_unknown(std::span<const uint8_t> bytes);

/// What a walk over a file's segments finds without decoding.
struct Container {
  std::string problem;              ///< Why it must be refused ("truncated JPEG"); empty: whole.
  std::span<const uint8_t> exif{};  ///< From the TIFF header on; empty where there is none.
  int components = 0;               ///< JPEG: of the frame header.
  int scans = 0;                    ///< JPEG.
  int64_t gif_flags_at = -1;        ///< GIF: the first picture's graphic control flags.
  int64_t adobe_transform_at = -1;  ///< JPEG: where the Adobe segment's transform byte stands.
};

/// Walks the file up to the end of its (first) picture. The decoder alone would fill what a cut
/// file lacks with grey and say nothing. Never reads outside `bytes`.
Container inspect(std::span<const uint8_t> bytes, PictureKind kind);

}  // namespace limbic::io
