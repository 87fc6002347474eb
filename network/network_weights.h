#pragma once
#include <string>

#include "limbic/nn/graph/graph.h"
#include "limbic/weights/checkpoint.h"

namespace limbic::network {

/// read_checkpoint for one network. Keras' older .weights.h5 files number their layers for each
/// class; they get the names of the network's layers, counted in the order of its graph
/// (weights/layer_names.h). Throws Error.
weights::Checkpoint read_checkpoint_for(const Graph& graph, const std::string& path);

}  // namespace limbic::network
