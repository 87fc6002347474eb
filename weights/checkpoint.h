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
  MappedFile file;                        ///< What the tensors are views of.
  std::string format = {};                ///< "PyTorch", "NumPy", "safetensors", "Keras".
  std::vector<std::string> states = {};   ///< Networks in the file, where it holds several.
  std::vector<std::string> remarks = {};  ///< For the user: what was chosen.
  bool state_found = false;  ///< Whether the asked-for network is a part of the file; if not, its
                             ///< names may begin so (weights/match.h).
};

struct ReadOptions {
  std::string state;  ///< Which of several networks in the file; empty: weights/states.h.
  /// Hold tensors against the checksums that the file has of them, which reads it all. Whoever asks
  /// only what is in it need not.
  bool verify = true;
};

/// A format of checkpoints beside safetensors.
struct Format {
  const char* name = "";                                 ///< In messages: "Keras".
  bool (*recognises)(const MappedFile& file) = nullptr;  ///< By content, not by name.
  /// Throws Error beginning with the path.
  Checkpoint (*open)(const MappedFile& file, const ReadOptions& options) = nullptr;
};

/// The formats that read_checkpoint asks, in this order, before safetensors. PyTorch's and NumPy's
/// are there; a
/// program appends others at its start, before any thread reads a checkpoint.
std::vector<Format>& formats();

/// Reads a checkpoint, judging its format by content and not by name: also one that is alone in a
/// zip archive (a wheel of Python), and the index of one in several files. Throws Error where it
/// cannot be read, saying what it is instead.
Checkpoint read_checkpoint(const std::string& path, const ReadOptions& options = {});
/// The same of a file that is open, or in memory. An index of several finds them beside its path.
Checkpoint read_checkpoint(const MappedFile& file, const ReadOptions& options = {});

/// Whether a file is one of Keras': HDF5, or a zip with Keras 3's weights in it. Known without the
/// reader (weights/keras/keras.h), so that a program without it can say what it lacks.
bool is_keras(const MappedFile& file);
inline constexpr std::string_view keras_archived_weights = "model.weights.h5";

}  // namespace limbic::weights
