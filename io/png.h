#pragma once
#include <span>
#include <string>
#include <vector>

#include "limbic/io/picture.h"

namespace limbic::io {

/// An 8-bit RGB PNG file, for reports. Throws Error on an empty picture.
/// By libpng.
std::vector<uint8_t> encode_png(const Picture& picture);

/// RFC 4648, with padding, without line breaks.
std::string base64(std::span<const uint8_t> bytes);

}  // namespace limbic::io
