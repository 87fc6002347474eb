#pragma once
#include <span>
#include <string>

#include "limbic/io/picture.h"

namespace limbic::io {

/// Bytes of a file that is read as a picture; a longer one is refused.
constexpr int64_t most_picture_bytes = int64_t{1} << 30;
/// The most pixels that a picture may have by default: 2^27, until somebody says otherwise.
int64_t most_pixels();
void set_most_pixels(int64_t pixels);

struct DecodeOptions {
  bool apply_exif = true;  ///< Turn the picture upright after its EXIF or XMP orientation.
  int64_t max_pixels = most_pixels();  ///< Refuse larger ones before anything is allocated.
};

/// What a file says of itself, and how its picture decoded.
struct DecodedFile {
  std::string format;   ///< "JPEG", "PNG", "WebP", "GIF", "BMP"
  int orientation = 1;  ///< EXIF's, 1 to 8; applied where the options say so.
  std::string damage;   ///< What the decoder went on over, as Pillow's does; "" where all is well.
  Picture picture;
};

/// Decodes a JPEG, PNG, WebP, BMP or the first frame of a GIF, judged by content, to RGB 0-255,
/// equal to Pillow's convert("RGB"). Alpha is dropped, grey repeated, CMYK and YCCK converted;
/// 16-bit samples keep their high byte. Throws Error "NAME: reason" for anything else: empty,
/// truncated, corrupt, too large, no picture; std::bad_alloc where memory runs out, which is no
/// fault of the file.
DecodedFile decode_all(std::span<const uint8_t> bytes, const std::string& name,
                       const DecodeOptions& options = {});
/// Its picture.
Picture decode(std::span<const uint8_t> bytes, const std::string& name,
               const DecodeOptions& options = {});
/// The same for a file; also throws Error where it cannot be read.
Picture decode_file(const std::string& path, const DecodeOptions& options = {});
/// Bytes of the picture that a file declares, from its header alone; 0 where that cannot be read.
int64_t decoded_bytes(std::span<const uint8_t> bytes);

}  // namespace limbic::io
