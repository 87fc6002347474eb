#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "limbic/core/file.h"
#include "limbic/core/tensor.h"

namespace limbic::weights {

/// What a safetensors header says of one tensor: bytes [begin, end) of the buffer.
struct TensorEntry {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  uint64_t begin = 0, end = 0;
};

struct SafetensorsHeader {
  std::vector<TensorEntry> entries;  ///< In the order of the buffer, without holes or overlaps.
  std::map<std::string, std::string> metadata;
};

/// Parses the header's JSON against a buffer of `buffer_size` bytes and checks every entry. Nested,
/// duplicate or unknown members are refused as they are met, so hostile JSON builds nothing; what
/// is built takes memory in proportion to the file (Budget). Throws Error beginning with `file`.
SafetensorsHeader parse_header(std::string_view json, uint64_t buffer_size,
                               const std::string& file);

/// `name` in quotes, fit for a one-line message: no control characters, at most 100 bytes.
std::string in_quotes(std::string_view name);

/// A file's bytes as text.
inline std::string_view text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size()};
}

}  // namespace limbic::weights
