#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "limbic/core/file.h"
#include "limbic/core/tensor.h"

namespace limbic::weights {

struct Checkpoint {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, Tensor> extras;  ///< Tensors of ours that are no weights: "limbic...".
  std::map<std::string, std::string> metadata;
  MappedFile file;  ///< What the tensors are views of.
};

/// A format of checkpoints beside safetensors and PyTorch's.
struct Format {
  const char* name = "";                                 ///< In messages: "Keras".
  bool (*recognises)(const MappedFile& file) = nullptr;  ///< By content, not by name.
  Checkpoint (*open)(const MappedFile& file) = nullptr;  ///< Throws Error beginning with the path.
};

/// The formats that read_checkpoint asks, in this order, before safetensors. PyTorch's is there; a
/// program appends others at its start, before any thread reads a checkpoint.
std::vector<Format>& formats();

/// Reads a checkpoint, judging its format by content and not by name. Throws Error where it cannot
/// be read.
Checkpoint read_checkpoint(const std::string& path);

/// Whether a file is one of Keras': HDF5, or a zip with Keras 3's weights in it. Known without the
/// reader (weights/keras/keras.h), so that a program without it can say what it lacks.
bool is_keras(const MappedFile& file);
inline constexpr std::string_view keras_archived_weights = "model.weights.h5";

}  // namespace limbic::weights
