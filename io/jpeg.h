#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "limbic/io/container.h"

namespace limbic::io {

/// Walks a JPEG's segments to its end marker. Finds what the decoder (stb_image 2.27, which Debian
/// 12 ships) would not: a cut file, Huffman tables larger than its arrays, scans that name tables
/// which were never defined, thousands of scans. Source: ITU-T T.81, annex B.
Container inspect_jpeg(std::span<const uint8_t> bytes);

/// A four-component JPEG with an Adobe segment that the decoder understands: without one, it would
/// take CMYK for YCbCr and alpha. `found` is what inspect_jpeg gave for `bytes`.
/// Source: what libjpeg assumes (jdapimin.c, default_decompress_parms).
std::vector<uint8_t> with_adobe_segment(std::span<const uint8_t> bytes, const Container& found);

}  // namespace limbic::io
