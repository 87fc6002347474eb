#include "limbic/explain/verb/answer.h"

#include <cmath>
#include <filesystem>

#include "limbic/explain/pictures.h"
#include "limbic/hash/hash.h"
#include "limbic/io/decode.h"
#include "limbic/io/png.h"

namespace limbic::explain {

using nlohmann::ordered_json;

Tensor prepared(const io::Picture& picture, const io::Preset& preset) {
  Tensor image(network::input_shape(1, preset));
  io::preprocess(picture, preset, image.data());
  return image;
}

std::vector<Tensor> blocks_of(const emotion::EmotionModel& model, std::span<const uint8_t> file,
                              const std::string& name) {
  std::vector<Tensor> blocks;
  for (const emotion::Branch& b : model.branches) {
    b.require_features();
    require(
        !b.external, b.role,
        ": a block of others' features has no network to explain; a model of CNNs alone can be");
    const network::Network& n = b.network;
    const Tensor image = prepared(io::decode(file, name, n.preset.decode_options()), n.preset);
    Explainer explainer(n.model.graph, n.parameters,
                        {.input = image.shape(), .head = {.at = b.layer}, .batch = 1});
    Tensor row = explainer.rows(image);
    if (b.softmax) {
      const std::vector<double> p = Head{}.probabilities(row.values());
      std::copy(p.begin(), p.end(), row.data());
    }
    blocks.push_back(std::move(row));
  }
  return blocks;
}

ordered_json rows_of(const Map& map) {
  ordered_json rows = ordered_json::array();
  for (int64_t y = 0; y < map.height; ++y) {
    auto& row = rows.emplace_back(ordered_json::array());
    for (int64_t x = 0; x < map.width; ++x)
      row.push_back(std::round(double{map.values[static_cast<size_t>(y * map.width + x)]} * 1e4) /
                    1e4);
  }
  return rows;
}

namespace {

using File = std::span<const uint8_t>;
constexpr const char* file_name = "picture";

// `name_of` a class that the head's probabilities are of; class -1: the most probable.
std::string answer(const network::Network& n, const Head& head, const std::string& role, File file,
                   int64_t c, const std::function<std::string(int64_t)>& name_of) {
  const io::Picture picture = io::decode(file, file_name, n.preset.decode_options());
  const Tensor image = prepared(picture, n.preset);
  Explainer explainer(n.model.graph, n.parameters,
                      {.input = image.shape(), .head = head, .batch = 1});
  if (c < 0) c = session::most_probable(explainer.probabilities(image), 1)[0];
  const Method method = explainer.layer().empty() ? Method::gradient : Method::grad_cam;
  const Map map = explainer.map(method, image, c);
  const std::string layer = method == Method::grad_cam ? explainer.layer() : "input";
  const ordered_json json = {
      {"class", name_of(c)},
      {"method", info(method).name},
      {"layer", role.empty() ? layer : role + "/" + layer},
      {"map", rows_of(map)},
      {"overlay", "data:image/png;base64," +
                      io::base64(io::encode_png(overlaid(io::fit(picture, n.preset), map)))}};
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::string answer(const emotion::EmotionModel& model, File file) {
  const std::vector<Tensor> blocks = blocks_of(model, file, file_name);
  const auto p =
      emotion::classify(model.classifier, model.roles(), blocks, std::ssize(model.classes));
  const emotion::Branch& first = model.branches[0];
  return answer(first.network, head_of(model, 0, blocks).head, first.role, file, p.labels[0],
                [&](int64_t c) { return model.classes[static_cast<size_t>(c)]; });
}

// It names all of the model's files by their hashes: while it stays, so does the model.
std::string description_of(const std::string& model) {
  return sha256_of_file(std::filesystem::is_directory(model) ? model + "/model.json" : model);
}

// What the message says of files is not for whoever asks over a network.
std::shared_ptr<const emotion::EmotionModel> open_again(const std::string& path,
                                                        const std::string& description) {
  try {
    auto model = std::make_shared<const emotion::EmotionModel>(emotion::load_model(path));
    if (description_of(path) == description) return model;
  } catch (const Error&) {
    // the same: it is not there any more
  }
  fail("the model's files are no longer those that the server began with; start it again");
}

}  // namespace

std::function<std::string(std::string_view)> map_answers(const session::Source& source) {
  const auto file_of = [](std::string_view bytes) {
    return File{reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
  };
  if (emotion::is_model(source.path)) {
    return
        [file_of, path = source.path, description = description_of(source.path),
         model = std::shared_ptr<const emotion::EmotionModel>()](std::string_view bytes) mutable {
          if (!model) model = open_again(path, description);
          return answer(*model, file_of(bytes));
        };
  }
  auto network = std::make_shared<const network::Network>(
      network::open_network({.model = source.model,
                             .state = source.state,
                             .weights = source.path,
                             .preset = source.preset,
                             .image_size = source.image_size,
                             .share = true}));
  std::vector<std::string> remarks;  // which the server has made already
  return [file_of, network,
          labels = session::class_names(*network, source.labels, remarks)](std::string_view bytes) {
    return answer(*network, {.kind = network->kind}, "", file_of(bytes), -1, [&](int64_t c) {
      return labels.empty() ? std::to_string(c) : labels[static_cast<size_t>(c)];
    });
  };
}

}  // namespace limbic::explain
