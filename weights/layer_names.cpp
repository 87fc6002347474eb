#include "limbic/weights/layer_names.h"

#include <algorithm>

#include "limbic/weights/header.h"

namespace limbic::weights {

void name_numbered_layers(std::map<std::string, Tensor>& tensors,
                          const std::vector<LayerName>& layers) {
  std::map<std::string, int> used;
  std::map<std::string, std::string> names;
  for (const LayerName& layer : layers) {
    const int number = used[layer.kind]++;
    names[number == 0 ? layer.kind : str_cat(layer.kind, "_", number)] = layer.name;
  }
  std::map<std::string, Tensor> out;
  for (const auto& [name, tensor] : tensors) {
    const size_t dot = std::min(name.rfind('.'), name.size());
    const auto found = names.find(name.substr(0, dot));
    const std::string now = found == names.end() ? name : found->second + name.substr(dot);
    require(out.emplace(now, tensor).second, "two layers would be called ", in_quotes(now));
  }
  tensors = std::move(out);
}

}  // namespace limbic::weights
