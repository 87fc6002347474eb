#pragma once
#include <map>
#include <string>
#include <vector>

#include "limbic/weights/pytorch/rebuild.h"

namespace limbic::weights {

/// The tensors of one network, and what else the file holds.
struct StateDict {
  std::map<std::string, Tensor> tensors;
  std::vector<std::string> states;  ///< Of every network in the file, where it was found.
  std::string remark;               ///< Which one was taken, where there was a choice.
  bool wanted_found = true;         ///< As in ChosenState.
  /// The classes in their order, where a dictionary around the tensors names them: class_to_idx,
  /// classes, class_names.
  std::vector<std::string> classes = {};
};

/// The state dict that a pickle holds: the dictionary of tensors, wherever it lies among
/// dictionaries (subclasses too), lists and tuples. Small ones beside it (a criterion's weights, a
/// best accuracy) and an optimiser's are no networks. Of several `state` chooses, by its place or
/// the end of it; without that timm's EMA is taken as timm does, else the likeliest name, and the
/// remark says so. Tensors may be NumPy arrays; entries that are neither are left out. Throws Error
/// "PATH: ...": where there is no state dict it says what is there instead; where there are several
/// that no name tells apart it lists them; where a tensor cannot be built it names the tensor.
StateDict read_state_dict(const Pickle& pickle, TensorRebuilder& rebuilder, Budget& budget,
                          const std::string& path, const std::string& state);

}  // namespace limbic::weights
