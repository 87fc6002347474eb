#include "weights/checkpoint.h"

#include <string_view>

#include "nn/core/file.h"
#include "weights/safetensors.h"

namespace limbic {
namespace {

// What a file that is no safetensors looks like; empty if unknown.
std::string_view foreign_format(std::string_view bytes) {
  if (bytes.starts_with("PK\x03\x04")) return "a PyTorch (.pth) or Keras 3 (.keras) archive";
  if (bytes.starts_with("\x89HDF\r\n\x1a\n")) return "an HDF5 (.h5) file";
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
  const std::string_view text(reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size());
  const std::string_view foreign = foreign_format(text);
  require(foreign.empty(), path, ": this is ", foreign,
          "; expected .safetensors: convert it to that first");
  SafetensorsFile read = parse_safetensors(file);
  Checkpoint out{std::move(read.tensors), {}, std::move(read.metadata), file};
  const auto ours = [](const auto& entry) { return entry.first.starts_with("limbic."); };
  for (const auto& entry : out.tensors)
    if (ours(entry)) out.extras.insert(entry);
  std::erase_if(out.tensors, ours);
  return out;
}

}  // namespace limbic
