#pragma once
#include <string>
#include <vector>

#include "limbic/weights/hdf5/hdf5.h"

namespace limbic::weights {

/// One variable of a layer as the file has it.
struct KerasVariable {
  std::string name;  ///< "kernel", "moving_mean"; a number where the file knows no more.
  uint64_t object = 0;
};

/// A layer with its variables.
struct KerasWeights {
  std::string layer;
  std::string kind;  ///< Its class in snake case; empty where the file does not tell.
  std::vector<KerasVariable> variables;
};

/// Names a layer's numbered variables by its class, as Keras 3 orders them. `scale` and `center`
/// are batch norm's, where they are known. Throws Error, beginning with `path`, where their number
/// can mean several things.
void name_variables(KerasWeights& layer, bool scale, bool center, const std::string& path);

/// Reads a layer's variables into `out` under PyTorch's names and layouts. Throws Error where a
/// name is taken.
void read_variables(Hdf5File& file, const KerasWeights& layer, std::map<std::string, Tensor>& out);

}  // namespace limbic::weights
