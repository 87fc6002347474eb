#include "limbic/weights/checkpoint.h"

#include "limbic/weights/header.h"
#include "limbic/weights/pytorch/pytorch.h"
#include "limbic/weights/safetensors.h"
#include "limbic/weights/zip.h"

namespace limbic::weights {
namespace {

// "safetensors, PyTorch or Keras"
std::string names_of_formats() {
  std::string out = "safetensors";
  for (const Format& format : formats())
    out += str_cat(&format == &formats().back() ? " or " : ", ", format.name);
  return out;
}

// What a file that no reader knows looks like; empty if unknown.
std::string_view foreign_format(const MappedFile& file) {
  const std::string_view bytes = text_of(file);
  if (is_keras(file))
    return "Keras' (HDF5), and this build has no reader for it (CMake's LIMBIC_KERAS=ON adds it)";
  if (is_zip(bytes)) return "a zip archive without weights of PyTorch or Keras";
  if (bytes.starts_with('\x80') && bytes.substr(8, 1) != "{")
    return "a Python pickle that torch.save did not write";
  if (bytes.starts_with("version https://git-lfs")) return "a Git LFS pointer, not the file itself";
  return {};
}

Checkpoint open_pytorch(const MappedFile& file) {
  return {parse_pytorch(file).tensors, {}, {}, file};
}

Checkpoint open_safetensors(const MappedFile& file) {
  SafetensorsFile read = parse_safetensors(file);
  Checkpoint out{std::move(read.tensors), {}, std::move(read.metadata), file};
  const auto ours = [](const auto& entry) { return entry.first.starts_with("limbic."); };
  for (const auto& entry : out.tensors)
    if (ours(entry)) out.extras.insert(entry);
  std::erase_if(out.tensors, ours);
  return out;
}

}  // namespace

std::vector<Format>& formats() {
  static std::vector<Format> known = {{"PyTorch", is_pytorch, open_pytorch}};
  return known;
}

Checkpoint read_checkpoint(const std::string& path) {
  const MappedFile file = map_file(path);
  for (const Format& format : formats())
    if (format.recognises(file)) return format.open(file);
  const std::string_view foreign = foreign_format(file);
  require(foreign.empty(), path, ": this is ", foreign, "; expected a checkpoint of ",
          names_of_formats());
  return open_safetensors(file);
}

bool is_keras(const MappedFile& file) {
  if (text_of(file).starts_with("\x89HDF\r\n\x1a\n")) return true;
  return is_zip(text_of(file)) && ZipArchive(file).find(keras_archived_weights) != nullptr;
}

}  // namespace limbic::weights
