#pragma once
#include "limbic/nn/graph/graph.h"
#include "limbic/weights/checkpoint.h"

namespace limbic::network {

/// Keras' older .weights.h5 files number their layers for each class; they get the names of the
/// network's layers, counted in the order of its graph (weights/layer_names.h).
void name_layers(const Graph& graph, weights::Checkpoint& checkpoint);

}  // namespace limbic::network
