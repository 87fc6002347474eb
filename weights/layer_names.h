#pragma once
#include <map>
#include <string>
#include <vector>

#include "limbic/core/tensor.h"

namespace limbic::weights {

/// A layer of the network that weights are for.
struct LayerName {
  std::string kind;  ///< Keras' class in snake case: "conv2d".
  std::string name;
};

/// Renames the layers of a file whose metadata "keras.names" is "numbered": "conv2d_3" is the
/// network's fourth of its kind. `layers` must be in Keras' order. That is all that such a file
/// tells: load_parameters compares the shapes, but two layers of equal shapes in another order go
/// unnoticed. Names that are counted further than the network stay.
void name_numbered_layers(std::map<std::string, Tensor>& tensors,
                          const std::vector<LayerName>& layers);

}  // namespace limbic::weights
