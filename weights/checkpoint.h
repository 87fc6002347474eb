#pragma once
#include <map>
#include <string>

#include "limbic/core/file.h"
#include "limbic/core/tensor.h"

namespace limbic::weights {

struct Checkpoint {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, Tensor> extras;  ///< Tensors of ours that are no weights: "limbic...".
  std::map<std::string, std::string> metadata;
  MappedFile file;  ///< What the tensors are views of.
};

/// Reads a checkpoint, judging its format by content and not by name: safetensors, PyTorch's
/// (weights/pytorch/pytorch.h) and Keras' (weights/keras/keras.h). Throws Error where it cannot be
/// read.
Checkpoint read_checkpoint(const std::string& path);

}  // namespace limbic::weights
