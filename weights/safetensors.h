#pragma once
// weights: reads and writes checkpoints, and loads them strictly into a network's Parameters.
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "limbic/core/file.h"
#include "limbic/core/tensor.h"

namespace limbic::weights {

struct SafetensorsFile {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;
  MappedFile file;  ///< What the tensors are views of.
};

/// Reads a .safetensors file. The tensors are views of the mapped file and keep it mapped; those
/// whose offset does not suit their dtype are copies. After copying them out, call
/// `file.require_intact()`: a file that is cut while it is mapped reads as zeros. Every length is
/// checked before it is used. Throws Error "PATH: tensor 'NAME': ..." for anything malformed:
/// header, JSON, duplicate names, unknown dtypes, shapes that do not fit their offsets, holes,
/// overlaps, missing or surplus bytes. Source: https://github.com/huggingface/safetensors (Format).
SafetensorsFile read_safetensors(const std::string& path);

/// The same for a file that is mapped already.
SafetensorsFile parse_safetensors(const MappedFile& file);

/// Writes a .safetensors file atomically. Equal arguments give equal bytes: wide elements come
/// first, then by name, so that every tensor is aligned to its dtype; the buffer begins at a
/// multiple of 64. Throws Error where the file cannot be written or a name is not UTF-8.
void write_safetensors(const std::string& path, const std::map<std::string, Tensor>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace limbic::weights
