#include "limbic/weights/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <ostream>
#include <vector>

#include "limbic/core/file.h"
#include "limbic/weights/header.h"

namespace limbic::weights {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors is little-endian");
constexpr uint64_t max_header = 100'000'000;
constexpr size_t alignment = 64;

Tensor tensor_of(const TensorEntry& entry, const MappedFile& file, size_t buffer_at) {
  uint8_t* data = file.bytes.data() + buffer_at + entry.begin;
  const auto element = static_cast<uintptr_t>(size_of(entry.dtype));
  if (reinterpret_cast<uintptr_t>(data) % element == 0)
    return Tensor::view(data, entry.shape, entry.dtype, file.owner);
  Tensor copy(entry.shape, entry.dtype);
  std::memcpy(copy.raw(), data, entry.end - entry.begin);
  return copy;
}

// Wide elements first, then by name.
std::vector<std::pair<std::string, Tensor>> in_file_order(
    const std::map<std::string, Tensor>& tensors) {
  std::vector<std::pair<std::string, Tensor>> out(tensors.begin(), tensors.end());
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) {
    return size_of(a.second.dtype()) > size_of(b.second.dtype());
  });
  return out;
}

}  // namespace

SafetensorsFile parse_safetensors(const MappedFile& file) {
  const std::string& name = file.path;
  const size_t size = file.bytes.size();
  require(size >= 8, name, ": expected safetensors, got a file of ", size, " bytes");
  uint64_t header_size = 0;
  std::memcpy(&header_size, file.bytes.data(), 8);
  require(header_size <= max_header && header_size <= size - 8, name, ": a header of ", header_size,
          " bytes does not fit the file of ", size,
          " bytes; it is cut, damaged or not safetensors");
  const std::string_view json(reinterpret_cast<const char*>(file.bytes.data()) + 8, header_size);
  require(json.starts_with('{'), name, ": the header does not begin with '{'; not safetensors");
  const size_t buffer_at = 8 + header_size;
  SafetensorsHeader header = parse_header(json, size - buffer_at, name);
  SafetensorsFile out;
  for (const TensorEntry& entry : header.entries)
    out.tensors.emplace(entry.name, tensor_of(entry, file, buffer_at));
  out.metadata = std::move(header.metadata);
  out.file = file;
  return out;
}

SafetensorsFile read_safetensors(const std::string& path) {
  return parse_safetensors(map_file(path));
}

void write_safetensors(const std::string& path, const std::map<std::string, Tensor>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  const auto ordered = in_file_order(tensors);
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  int64_t at = 0;
  for (const auto& [name, tensor] : ordered) {
    require(name != "__metadata__", path, ": a tensor may not be named '__metadata__'");
    require(tensor.raw() != nullptr, path, ": tensor ", in_quotes(name), " was never filled");
    header[name] = {{"dtype", to_string(tensor.dtype())},
                    {"shape", tensor.shape()},
                    {"data_offsets", {at, at + tensor.bytes()}}};
    at += tensor.bytes();
  }
  std::string json;
  try {
    json = header.dump();
  } catch (const nlohmann::json::exception&) {
    fail(path, ": a name or a metadata value is not UTF-8");
  }
  json.append((alignment - (8 + json.size()) % alignment) % alignment, ' ');
  require(json.size() <= max_header, path, ": a header of ", json.size(), " bytes is too large");
  write_atomically(path, [&](std::ostream& out) {
    const uint64_t header_size = json.size();
    out.write(reinterpret_cast<const char*>(&header_size), 8);
    out << json;
    for (const auto& [name, tensor] : ordered)
      out.write(static_cast<const char*>(tensor.raw()), tensor.bytes());
  });
}

}  // namespace limbic::weights
