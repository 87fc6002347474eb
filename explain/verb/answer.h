#pragma once
#include <nlohmann/json.hpp>

#include "limbic/explain/emotion.h"
#include "limbic/session/session.h"

namespace limbic::explain {

/// (1,C,H,W) as the network wants it.
Tensor prepared(const io::Picture& picture, const io::Preset& preset);
/// (1,D) of each of the model's CNNs, of a picture's file. Throws Error for blocks that are others'
/// features, and "NAME: reason" for what is no picture.
std::vector<Tensor> blocks_of(const emotion::EmotionModel& model, std::span<const uint8_t> file,
                              const std::string& name);
/// The map's rows, rounded to 4 decimals.
nlohmann::ordered_json rows_of(const Map& map);

/// What spoke for the answer that a model gives for a picture's file, as a line of JSON:
/// Grad-CAM of the class that it names, through the first CNN of a model folder (of a network
/// without feature maps gradient x input), and the picture as that network sees it with the map
/// over it:
///
///     {"class":...,"method":"grad-cam","layer":...,"map":[[...],...],"overlay":"data:image/png..."}
///
/// For one thread at a time. A model folder is opened with the first picture, and must then be what
/// it was at first. Throws Error where it is not, and as `blocks_of` does.
std::function<std::string(std::string_view file)> map_answers(const session::Source& source);

}  // namespace limbic::explain
