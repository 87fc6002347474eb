#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace limbic::weights {

/// A layer as a model's config.json, or its model_config attribute, declares it.
struct KerasLayer {
  std::string kind;    ///< The class in snake case, as Keras 3 writes it: "batch_normalization".
  std::string name;    ///< "conv1_bn"
  int parent = -1;     ///< Index of the model that it is in; -1: it is the outermost model.
  bool scale = true;   ///< Batch norm: has a gamma,
  bool center = true;  ///< and a beta.
};

/// The layers of a model in the order of its JSON, nested models' after the model. Nothing but
/// names is kept, so that hostile JSON builds little. Throws Error beginning with `where` if it is
/// no JSON or nested too deeply.
std::vector<KerasLayer> read_keras_config(std::string_view json, const std::string& where);

/// "BatchNormalization" -> "batch_normalization", "Conv2D" -> "conv2d", as Keras has it.
std::string snake_case(std::string_view name);

}  // namespace limbic::weights
