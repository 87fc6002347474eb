#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace limbic {

/// SHA-256 in lower-case hexadecimal, of bytes, of a text and of a whole file (throws Error with
/// the path and the system's reason). By libmd.
std::string sha256(std::span<const uint8_t> bytes);
std::string sha256_of_text(std::string_view text);
std::string sha256_of_file(const std::string& path);
/// MD5 likewise: for checksums that others publish.
std::string md5(std::span<const uint8_t> bytes);

}  // namespace limbic
