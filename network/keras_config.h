#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "limbic/io/preset.h"

namespace limbic::network {

/// What a Keras model's config says beside its weights' names.
struct KerasConfig {
  /// What layers within the model make of a pixel of value v: v * scale + offset, by channel.
  struct Rescaling {
    std::vector<double> scale, offset;  ///< One number, or one for each channel.
  };
  std::vector<Rescaling> rescaling;        ///< In their order.
  int64_t max_poolings = 0;                ///< Layers of them.
  std::map<std::string, int64_t> strides;  ///< Of convolutions, by name, where both are equal.
  std::string activation;                  ///< Of the last layer: "softmax", "sigmoid", "linear".
  std::optional<int64_t> height, width;    ///< Of the input, where it is fixed.
  std::vector<std::string> not_followed;   ///< What no network here computes, in words.
};

/// Reads a config's JSON; what it does not say stays empty. Source: keras.layers' get_config().
KerasConfig read_keras_config(const std::string& json);

/// The preset with what the model's own layers do to pixels behind it; a model that rescales by
/// itself is given pixels as they are, unless the user chose a preset.
io::Preset with_rescaling(io::Preset preset, const KerasConfig& config, bool chosen_by_user);

}  // namespace limbic::network
