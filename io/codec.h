#pragma once
#include <optional>
#include <span>
#include <string>

#include "limbic/io/picture.h"

namespace limbic::io {

/// What a picture's header declares.
struct PictureSize {
  int64_t height = 0, width = 0;
};

/// Reads only the header; nothing where it is none of JPEG, PNG, BMP, GIF, or is damaged.
std::optional<PictureSize> stb_size(std::span<const uint8_t> bytes);

/// Decodes with stb_image to RGB, dropping alpha; grey is repeated, 16 bits keep their high byte.
/// Returns nothing and sets `reason` where the file is damaged or of an unsupported kind. Throws
/// std::bad_alloc.
std::optional<Picture> stb_decode(std::span<const uint8_t> bytes, std::string& reason);

}  // namespace limbic::io
