#pragma once
#include <map>
#include <string>
#include <vector>

#include "limbic/core/file.h"
#include "limbic/core/tensor.h"

namespace limbic::weights {

struct PytorchFile {
  std::map<std::string, Tensor> tensors;
  MappedFile file;                       ///< What the tensors are views of.
  std::vector<std::string> states = {};  ///< As in StateDict.
  std::string remark = {};
  bool wanted_found = true;
  std::vector<std::string> classes = {};
};

/// Whether `torch.save` has written it, in any of its three forms (zip, stream, tar); also for
/// archives of TorchScript.
bool is_pytorch(const MappedFile& file);

/// Reads the state dict of a PyTorch checkpoint (weights/pytorch/state_dict.h says which, and what
/// `state` chooses), in the zip form (since 1.6) or as the older stream of pickles. Nothing of it
/// is run: what Python would build by calling a function is described, and is an error only where a
/// tensor depends on it. Tensors that are dense, aligned and not compressed are views of the mapped
/// file and keep it mapped; others are copies. Call `file.require_intact()` after copying them out.
/// Memory stays below twice the file's size and 64 MB. Throws Error "PATH: ..." for anything
/// malformed, for tar archives (before 0.2), whole modules and TorchScript, saying what to do.
/// Source: torch/serialization.py, torch/_utils.py.
PytorchFile parse_pytorch(const MappedFile& file, const std::string& state = "",
                          bool verify = true);

}  // namespace limbic::weights
