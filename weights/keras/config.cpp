#include "limbic/weights/keras/config.h"

#include <nlohmann/json.hpp>

#include "limbic/core/error.h"

namespace limbic::weights {
namespace {

constexpr size_t max_depth = 200, max_layers = 16384;

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

// Receives the parser's events and picks out the layers:
//   {"class_name": KIND, "config": {"name": NAME, "layers": [LAYER...]}}
// Sequential models of Keras before 2.3 have the layers as "config".
class ConfigReader {
 public:
  using json = nlohmann::json;
  using number_integer_t = json::number_integer_t;
  using number_unsigned_t = json::number_unsigned_t;
  using number_float_t = json::number_float_t;
  using string_t = json::string_t;
  using binary_t = json::binary_t;

  explicit ConfigReader(const std::string& where) : where_(where) {}

  bool null() { return true; }
  bool number_integer(number_integer_t) { return true; }
  bool number_unsigned(number_unsigned_t) { return true; }
  bool number_float(number_float_t, const string_t&) { return true; }
  bool binary(binary_t&) { return true; }

  bool boolean(bool value) {
    if (!stack_.empty() && stack_.back().place == Place::config) {
      KerasLayer& layer = layers[index()];
      if (key_ == "scale") layer.scale = value;
      if (key_ == "center") layer.center = value;
    }
    return true;
  }

  bool string(string_t& value) {
    if (stack_.empty()) return true;
    const Place place = stack_.back().place;
    if (place == Place::layer && key_ == "class_name") layers[index()].kind = snake_case(value);
    if (place == Place::config && key_ == "name") layers[index()].name = value;
    return true;
  }

  bool start_object(std::size_t) {
    const Frame outer = stack_.empty() ? Frame{Place::layers, -1} : stack_.back();
    Frame inner{Place::other, outer.layer};
    if (outer.place == Place::layers) {
      require(layers.size() < max_layers, where_, "has over ", max_layers, " layers");
      layers.push_back({.kind = {}, .name = {}, .parent = outer.layer});
      inner = {Place::layer, static_cast<int>(layers.size()) - 1};
    } else if (outer.place == Place::layer && key_ == "config") {
      inner.place = Place::config;
    }
    return push(inner);
  }

  bool start_array(std::size_t) {
    if (stack_.empty()) return push({Place::other, -1});
    const Frame outer = stack_.back();
    const bool are_layers = (outer.place == Place::config && key_ == "layers") ||
                            (outer.place == Place::layer && key_ == "config");
    return push({are_layers ? Place::layers : Place::other, outer.layer});
  }

  bool key(string_t& key) {
    key_ = key;
    return true;
  }
  bool end_object() { return pop(); }
  bool end_array() { return pop(); }

  bool parse_error(std::size_t position, const std::string&, const json::exception&) {
    fail(where_, "is not JSON (byte ", position, " of it); the file is damaged, fetch it again");
  }

  std::vector<KerasLayer> layers;

 private:
  enum class Place { layers, layer, config, other };
  struct Frame {
    Place place;
    int layer;  // the innermost one around
  };

  size_t index() const { return static_cast<size_t>(stack_.back().layer); }

  bool push(const Frame& frame) {
    require(stack_.size() < max_depth, where_, "is nested over ", max_depth, " deep");
    stack_.push_back(frame);
    key_.clear();
    return true;
  }

  bool pop() {
    stack_.pop_back();
    key_.clear();
    return true;
  }

  const std::string& where_;
  std::vector<Frame> stack_;
  std::string key_;
};

}  // namespace

std::string snake_case(std::string_view name) {
  std::string out;
  for (size_t i = 0; i < name.size(); ++i) {
    const bool word = is_upper(name[i]) && i > 0 &&
                      (is_lower(name[i - 1]) || (i + 1 < name.size() && is_lower(name[i + 1])));
    if (word) out += '_';
    out += is_upper(name[i]) ? static_cast<char>(name[i] - 'A' + 'a') : name[i];
  }
  return out;
}

std::vector<KerasLayer> read_keras_config(std::string_view json, const std::string& where) {
  ConfigReader reader(where);
  nlohmann::json::sax_parse(json.begin(), json.end(), &reader);
  return std::move(reader.layers);
}

}  // namespace limbic::weights
