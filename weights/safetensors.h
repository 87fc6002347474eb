#pragma once
// weights: reads and writes checkpoints, and loads them strictly into a network's Parameters.
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "nn/core/tensor.h"

namespace limbic {

struct SafetensorsFile {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;
};

/// A whole file in memory of this process, 64-byte aligned.
struct OwnedBytes {
  std::shared_ptr<void> owner;
  std::span<uint8_t> bytes;
};

/// Reads a regular file once, up to the size that it had when it was opened. It is read rather than
/// mapped on purpose: a page of a mapping whose file is cut afterwards kills the process with
/// SIGBUS wherever it is touched, and a mapping that is read to its end saves no memory. Throws
/// Error where the file is missing, not regular, or cut while it is read.
OwnedBytes read_owned(const std::string& path);

/// Reads a .safetensors file. The tensors share one block of memory and keep it alive; those whose
/// offset does not suit their dtype are copies. Every length is checked before it is used. Throws
/// Error "PATH: tensor 'NAME': ..." for anything malformed: header, JSON, duplicate names, unknown
/// dtypes, shapes that do not fit their offsets, holes, overlaps, missing or surplus bytes.
/// Source: https://github.com/huggingface/safetensors (Format).
SafetensorsFile read_safetensors(const std::string& path);

/// The same for bytes in memory; `name` stands for the path in messages.
SafetensorsFile parse_safetensors(const OwnedBytes& file, const std::string& name);

/// Writes a .safetensors file atomically. Equal arguments give equal bytes: wide elements come
/// first, then by name, so that every tensor is aligned to its dtype; the buffer begins at a
/// multiple of 64. Throws Error where the file cannot be written or a name is not UTF-8.
void write_safetensors(const std::string& path, const std::map<std::string, Tensor>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace limbic
