#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace limbic::io {

/// Bytes of the well-formed UTF-8 character at the start of `text`; 0 where it is broken.
/// Source: Unicode 15, table 3-7.
size_t utf8_length(std::string_view text);
/// Whether all of it is well-formed.
bool is_utf8(std::string_view text);
/// A to Z as a to z, all else as it is.
std::string lower_ascii(std::string text);

}  // namespace limbic::io
