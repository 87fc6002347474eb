#pragma once
#include <map>
#include <string>

#include "nn/core/file.h"
#include "nn/core/tensor.h"

namespace limbic {

struct Checkpoint {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;
  MappedFile file;     ///< What the tensors are views of.
  std::string sha256;  ///< Of the whole file, in lower-case hexadecimal.
};

/// Reads a checkpoint, judging its format by content and not by name: .safetensors, or Keras'
/// (weights/keras.h). PyTorch files are recognised and refused with what to do. Throws Error where
/// it cannot be read.
Checkpoint read_checkpoint(const std::string& path);

}  // namespace limbic
