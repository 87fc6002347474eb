#pragma once
#include <optional>
#include <span>
#include <string>

#include "limbic/io/picture.h"

namespace limbic::io {

/// Decodes a JPEG with libjpeg-turbo as Pillow does: slow integer DCT, fancy upsampling, CMYK read
/// inverted as Adobe stores it and converted as Pillow's convert("RGB") does. Returns nothing and
/// sets `reason` where the file is damaged or of an unsupported kind; throws std::bad_alloc.
std::optional<Picture> libjpeg_decode(std::span<const uint8_t> bytes, std::string& reason);

}  // namespace limbic::io
