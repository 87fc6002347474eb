#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "limbic/core/file.h"
#include "limbic/network/imagenet.h"
#include "limbic/network/predictor.h"
#include "limbic/session/session.h"

namespace limbic::session {

using json = nlohmann::ordered_json;

namespace {

// One name a line.
std::vector<std::string> read_labels(const std::string& path, int64_t expected) {
  const auto bytes = read_file(path, int64_t{16} << 20);
  std::vector<std::string> labels;
  std::string line;
  for (uint8_t b : bytes) {
    if (b == '\n') {
      labels.push_back(std::move(line));
      line.clear();
    } else if (b != '\r') {
      line += static_cast<char>(b);
    }
  }
  if (!line.empty()) labels.push_back(line);
  require(std::ssize(labels) == expected, path, ": holds ", labels.size(),
          " labels, the network has ", expected, " classes");
  return labels;
}

}  // namespace

std::vector<std::string> class_names(const network::Network& network, const std::string& labels,
                                     std::vector<std::string>& remarks) {
  const bool binary = network.kind == network::OutputKind::binary;
  const int64_t named = binary ? 2 : network.model.classes;
  if (!labels.empty()) return read_labels(labels, named);
  if (std::ssize(network.labels) == named) return network.labels;
  if (named != 1000) return {};
  remarks.push_back(
      "classes: ImageNet's names (the weights name none; --labels FILE names others)");
  return network::imagenet_classes();
}

std::unique_ptr<Session> open_session(const Source& source, std::vector<std::string>& remarks) {
  require(source.batch >= 1 && source.batch <= 4096, "batch: expected 1 to 4096 pictures, got ",
          source.batch);
  if (source.file ? emotion::is_model(*source.file) : emotion::is_model(source.path)) {
    require(source.model.empty() && source.labels.empty() && source.preset.empty() &&
                source.state.empty() && source.image_size == 0 && source.dtype == DType::f32,
            source.path, ": a model folder says itself which networks, classes and presets it has");
    return std::make_unique<Session>(
        source.file ? emotion::load_model(*source.file) : emotion::load_model(source.path), 1,
        source.batch);
  }
  network::Network network = network::open_network({.model = source.model,
                                                    .state = source.state,
                                                    .weights = source.path,
                                                    .file = source.file,
                                                    .preset = source.preset,
                                                    .image_size = source.image_size,
                                                    .share = true});
  remarks.insert(remarks.end(), network.remarks.begin(), network.remarks.end());
  PlanOptions options = PlanOptions::inference(network::input_shape(1, network.preset));
  options.tune = true;
  options.dtype = source.dtype;
  std::vector<std::string> labels = class_names(network, source.labels, remarks);
  return std::make_unique<Session>(std::move(network), std::move(options), std::move(labels),
                                   source.batch);
}

namespace {

// File names may hold any bytes: what is not UTF-8 is replaced.
std::string in_a_line(const json& object) {
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

json with_image(const std::optional<std::string>& image) {
  json out = json::object();
  if (image) out["image"] = *image;
  return out;
}

}  // namespace

std::string to_json(const Session& session, const Answer& answer,
                    const std::optional<std::string>& image, int64_t top) {
  json line = with_image(image);
  const std::vector<std::string>& labels = session.labels();
  if (session.is_emotion()) {
    line["emotion"] = labels[static_cast<size_t>(answer.label)];
    json& all = line["probabilities"] = json::object();
    for (size_t c = 0; c < labels.size(); ++c) all[labels[c]] = answer.probabilities[c];
    return in_a_line(line);
  }
  if (session.kind() == network::OutputKind::binary) line["kind"] = "binary";
  if (session.kind() == network::OutputKind::multilabel) line["kind"] = "multilabel";
  json& best = line["top"] = json::array();
  for (int64_t index : most_probable(answer.probabilities, top)) {
    const auto i = static_cast<size_t>(index);
    best.push_back(
        {{"index", index}, {"label", labels[i]}, {"probability", answer.probabilities[i]}});
  }
  return in_a_line(line);
}

std::string error_json(const std::string& error, const std::optional<std::string>& image) {
  json line = with_image(image);
  line["error"] = error;
  return in_a_line(line);
}

}  // namespace limbic::session
