#include "weights/checkpoint.h"

#include <string_view>

#include "nn/core/file.h"
#include "weights/keras.h"
#include "weights/safetensors.h"

namespace limbic {
namespace {

// What a file that is no safetensors looks like; empty if unknown.
std::string_view foreign_format(std::string_view bytes) {
  if (bytes.starts_with("PK\x03\x04")) return "a PyTorch (.pth) archive";
  if (bytes.starts_with("\x80\x02") && bytes.substr(8, 1) != "{")
    return "a PyTorch (.pth) file of the old kind";
  if (bytes.size() > 262 && bytes.substr(257, 5) == "ustar")
    return "a tar archive, perhaps a very old PyTorch checkpoint";
  if (bytes.starts_with("version https://git-lfs")) return "a Git LFS pointer, not the file itself";
  return {};
}

}  // namespace

Checkpoint read_checkpoint(const std::string& path) {
  const MappedFile file = map_file(path);
  if (is_keras(file)) {
    KerasFile read = read_keras(file);
    return {std::move(read.tensors), std::move(read.metadata), file, sha256(file.bytes)};
  }
  const std::string_view text(reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size());
  const std::string_view foreign = foreign_format(text);
  require(foreign.empty(), path, ": this is ", foreign,
          "; expected .safetensors: convert it to that first");
  SafetensorsFile read = parse_safetensors(file);
  return {std::move(read.tensors), std::move(read.metadata), file, sha256(file.bytes)};
}

}  // namespace limbic
