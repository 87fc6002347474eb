#include "limbic/network/network_weights.h"

#include "limbic/nn/ops/conv2d.h"
#include "limbic/weights/layer_names.h"

namespace limbic::network {
namespace {

std::string keras_kind(const Op& op) {
  const std::string type = op.type();
  if (type == "batch_norm") return "batch_normalization";
  if (type == "linear") return "dense";
  const auto* conv = dynamic_cast<const Conv2d*>(&op);
  return conv && conv->options().groups > 1 ? "depthwise_conv2d" : type;
}

}  // namespace

void name_layers(const Graph& graph, weights::Checkpoint& checkpoint) {
  std::vector<weights::LayerName> layers;
  for (const Node& node : graph.nodes()) {
    if (node.parameters.empty()) continue;
    const std::string& parameter = node.parameters.front();  // "conv1.weight"
    layers.push_back({keras_kind(*node.op), parameter.substr(0, parameter.rfind('.'))});
  }
  weights::name_numbered_layers(checkpoint.tensors, layers);
}

}  // namespace limbic::network
