#pragma once
// Writes zip archives byte by byte, so that tests can also write wrong ones.
#include <cstdint>
#include <string>
#include <vector>

#include "limbic/weights/zip.h"

namespace limbic {

struct ZipWriterMember {
  std::string name;
  std::vector<uint8_t> content;
  bool deflate = false;
  bool zip64 = false;         ///< Sizes and offset in a zip64 field.
  bool sizes_behind = false;  ///< Flag bit 3: the local header holds no sizes.
  size_t alignment = 1;       ///< Of the content, by an extra field of padding.
};

struct ZipWriterOptions {
  bool zip64 = false;  ///< With the zip64 end record and its locator.
  std::string comment;
};

std::vector<uint8_t> write_zip(const std::vector<ZipWriterMember>& members,
                               const ZipWriterOptions& options = {});

/// `bytes` as a mapped file, on the heap at exactly their size, so that a sanitizer sees an
/// overrun.
MappedFile at_exact_size(const std::vector<uint8_t>& bytes, const std::string& path);

}  // namespace limbic
