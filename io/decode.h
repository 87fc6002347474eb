#pragma once
#include <span>
#include <string>

#include "limbic/io/picture.h"

namespace limbic::io {

struct DecodeOptions {
  bool apply_exif = true;  ///< Turn the picture upright after its EXIF orientation.
  bool libjpeg = true;     ///< JPEGs by libjpeg-turbo where this build has it, else by stb_image.
  int64_t max_pixels = int64_t{1} << 27;  ///< Refuse larger ones before anything is allocated.
};

/// Decodes a JPEG, PNG, BMP or the first frame of a GIF, judged by content, to RGB 0-255. Alpha is
/// dropped, grey repeated, CMYK and YCCK converted as Pillow's convert("RGB") does; 16-bit samples
/// keep their high byte. JPEGs decoded by libjpeg-turbo equal Pillow's; by stb_image they differ by
/// a little (another inverse DCT and upsampling).
/// Throws Error "NAME: reason" for anything else: empty, truncated, corrupt, too large, no picture;
/// std::bad_alloc where memory runs out, which is no fault of the file.
Picture decode(std::span<const uint8_t> bytes, const std::string& name,
               const DecodeOptions& options = {});
/// The same for a file; also throws Error where it cannot be read.
Picture decode_file(const std::string& path, const DecodeOptions& options = {});
/// Bytes of the picture that a file declares, from its header alone; 0 where that cannot be read.
int64_t decoded_bytes(std::span<const uint8_t> bytes);

}  // namespace limbic::io
