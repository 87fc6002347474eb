#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "limbic/io/picture.h"

namespace limbic::io {

using Bytes = std::span<const uint8_t>;

/// What a picture's header declares.
struct PictureSize {
  int64_t height = 0, width = 0;
};

/// Pixels as they are stored, and how they are to be turned.
struct Decoded {
  Picture picture;
  int orientation = 1;  ///< EXIF's, 1 to 8.
  std::string damage;   ///< Where a decoder could go on over damage, as Pillow does: what it was.
};

/// A kind of file. `size` and `decode` throw Error "reason" where it is damaged or of a kind that
/// is not read; decode is called only where size was acceptable, and throws std::bad_alloc.
struct Format {
  std::string name;                  ///< "JPEG"
  bool (*is)(Bytes);                 ///< By content; a file's name proves nothing.
  PictureSize (*size)(Bytes);        ///< From the header alone.
  Decoded (*decode)(Bytes);          ///< To RGB; a first frame where there are several.
  int64_t most_pixels_per_byte = 0;  ///< What no file exceeds: a header that declares more lies.
};
extern const Format jpeg_format, png_format, webp_format, gif_format, bmp_format;

/// The format of a file's content, or null.
const Format* format_of(Bytes bytes);
/// What else a file is, for the message: "a TIFF picture", "a text file", ... or "".
std::string describe_unknown(Bytes bytes);

/// Whether `text` stands at `offset`.
bool has(Bytes bytes, size_t offset, std::string_view text);

/// How to turn a picture, by its EXIF block (from the TIFF header on, or from "Exif\0\0" before it)
/// and, where that says nothing, by its XMP; 1 where nothing does. Hostile bytes are no error.
/// Source: Exif 2.32, section 4.6; XMP, part 2, tiff:Orientation.
int orientation_of(Bytes exif, std::string_view xmp);

}  // namespace limbic::io
