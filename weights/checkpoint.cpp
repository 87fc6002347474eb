#include "limbic/weights/checkpoint.h"

#include <string_view>

#include "limbic/core/file.h"
#include "limbic/weights/keras/keras.h"
#include "limbic/weights/pytorch/pytorch.h"
#include "limbic/weights/safetensors.h"
#include "limbic/weights/zip.h"

namespace limbic::weights {
namespace {

// What a file that no reader knows looks like; empty if unknown.
std::string_view foreign_format(std::string_view bytes) {
  if (is_zip(bytes)) return "a zip archive without weights of PyTorch or Keras";
  if (bytes.starts_with('\x80') && bytes.substr(8, 1) != "{")
    return "a Python pickle that torch.save did not write";
  if (bytes.starts_with("version https://git-lfs")) return "a Git LFS pointer, not the file itself";
  return {};
}

}  // namespace

Checkpoint read_checkpoint(const std::string& path) {
  const MappedFile file = map_file(path);
  if (is_pytorch(file)) return {parse_pytorch(file).tensors, {}, {}, file};
  if (is_keras(file)) {
    KerasFile read = read_keras(file);
    return {std::move(read.tensors), {}, std::move(read.metadata), file};
  }
  const std::string_view text(reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size());
  const std::string_view foreign = foreign_format(text);
  require(foreign.empty(), path, ": this is ", foreign,
          "; expected a checkpoint of safetensors, PyTorch or Keras");
  SafetensorsFile read = parse_safetensors(file);
  Checkpoint out{std::move(read.tensors), {}, std::move(read.metadata), file};
  const auto ours = [](const auto& entry) { return entry.first.starts_with("limbic."); };
  for (const auto& entry : out.tensors)
    if (ours(entry)) out.extras.insert(entry);
  std::erase_if(out.tensors, ours);
  return out;
}

}  // namespace limbic::weights
