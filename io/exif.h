#pragma once
#include <cstdint>
#include <span>

namespace limbic::io {

/// The orientation (1-8) in an EXIF block that starts at its TIFF header ("II*" or "MM*"); 1 where
/// there is none or the block is damaged. Reads only the first directory and never outside `tiff`.
/// Source: Exif 2.32, section 4.6.2; TIFF 6.0, section 2.
int exif_orientation(std::span<const uint8_t> tiff);

}  // namespace limbic::io
