#pragma once
#include <optional>
#include <string>
#include <vector>

#include "limbic/io/preset.h"

namespace limbic::network {

/// What timm's or transformers' config.json (and preprocessor_config.json) beside a checkpoint
/// says.
struct ConfigFile {
  std::string path;                  ///< Empty: there is none.
  std::optional<io::Preset> preset;  ///< How pictures are prepared.
  std::vector<std::string> labels;   ///< Of the classes, in their order.
};

/// Reads them where the checkpoint is called as those libraries call it (model.safetensors,
/// pytorch_model.bin, their indices, or the folder of one). What is not understood stays out.
/// Source: timm's pretrained_cfg, transformers' ConvNextImageProcessor and PretrainedConfig.
ConfigFile read_config_beside(const std::string& weights);

}  // namespace limbic::network
