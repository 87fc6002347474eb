#pragma once
#include <map>
#include <string>

#include "limbic/weights/pytorch/rebuild.h"

namespace limbic::weights {

/// The tensors of the state dict that a pickle holds: at its root, or under a name that training
/// scripts use ("state_dict", "model", "ema", ...), or in its only dictionary of tensors. Entries
/// that are no tensors are left out. A prefix "module." (DataParallel) or "_orig_mod."
/// (torch.compile) that all names have is taken off, and the dense layers of old DenseNet files get
/// today's names (norm.1 -> norm1). Throws Error "PATH: ...": where there is no state dict, it says
/// what is there instead; where a tensor cannot be built, it names the tensor.
std::map<std::string, Tensor> read_state_dict(const Pickle& pickle, TensorRebuilder& rebuilder,
                                              Budget& budget, const std::string& path);

}  // namespace limbic::weights
