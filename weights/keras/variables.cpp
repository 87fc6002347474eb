#include "limbic/weights/keras/variables.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "limbic/weights/header.h"

namespace limbic::weights {
namespace {

bool has(const KerasWeights& layer, const char* name) {
  return std::any_of(layer.variables.begin(), layer.variables.end(),
                     [name](const KerasVariable& v) { return v.name == name; });
}

std::string torch_name(const KerasWeights& layer, const std::string& variable) {
  static const std::map<std::string, std::string> names = {{"kernel", "weight"},
                                                           {"bias", "bias"},
                                                           {"gamma", "weight"},
                                                           {"beta", "bias"},
                                                           {"moving_mean", "running_mean"},
                                                           {"moving_variance", "running_var"}};
  if (variable == "depthwise_kernel" && !has(layer, "pointwise_kernel")) return "weight";
  const auto found = names.find(variable);
  return found == names.end() ? variable : found->second;
}

// Keras 3 calls a depthwise kernel (H,W,I,M) "kernel". Where the class is unknown, the length of
// the bias tells it from a convolution's (H,W,I,O), else Keras' own layer names do.
bool is_depthwise(const KerasWeights& layer, const KerasVariable& variable, const Shape& shape,
                  const std::optional<Shape>& bias) {
  if (variable.name == "depthwise_kernel") return true;
  if (!layer.kind.empty()) return layer.kind == "depthwise_conv2d";
  if (bias) return *bias == Shape{shape[2] * shape[3]};
  return layer.layer.find("depthwise") != std::string::npos || layer.layer.starts_with("conv_dw_");
}

// (S,I,O) -> (O,I,S). Blocks of O, so that both sides stay in the cache.
template <class T>
void turn(const uint8_t* src, T* dst, int64_t spatial, int64_t in, int64_t out) {
  constexpr int64_t block = 16;
  for (int64_t first = 0; first < out; first += block) {
    const int64_t last = std::min(out, first + block);
    for (int64_t i = 0; i < in; ++i)
      for (int64_t s = 0; s < spatial; ++s)
        for (int64_t o = first; o < last; ++o)  // src may stand at any address
          std::memcpy(dst + (o * in + i) * spatial + s,
                      src + ((s * in + i) * out + o) * static_cast<int64_t>(sizeof(T)), sizeof(T));
  }
}

struct Turned {
  Shape shape;
  int64_t spatial, in, out;
};

// The kernel's shape in PyTorch, and how it is turned: (spatial...,I,O) -> (O,I,spatial...).
Turned turned(const Shape& shape, bool depthwise) {
  const size_t rank = shape.size();
  Turned t{.shape = {}, .spatial = 1, .in = shape[rank - 2], .out = shape[rank - 1]};
  for (size_t i = 0; i + 2 < rank; ++i) t.spatial *= shape[i];
  if (depthwise) t.out *= t.in, t.in = 1;
  t.shape = {t.out, t.in};
  t.shape.insert(t.shape.end(), shape.begin(), shape.end() - 2);
  return t;
}

Tensor tensor_of(const Hdf5Bytes& file, const Hdf5Array& array, bool kernel, bool depthwise) {
  file.keep(array.bytes.size() + 256);
  if (array.owner) file.require_room(array.bytes.size());
  if (!kernel) {
    Tensor out = Tensor::uninitialised(array.shape, array.dtype);
    if (!array.bytes.empty()) std::memcpy(out.raw(), array.bytes.data(), array.bytes.size());
    return out;
  }
  const Turned t = turned(array.shape, depthwise);
  Tensor out = Tensor::uninitialised(t.shape, array.dtype);
  if (out.empty()) return out;
  const uint8_t* src = array.bytes.data();
  switch (size_of(array.dtype)) {
    case 1:
      turn(src, static_cast<uint8_t*>(out.raw()), t.spatial, t.in, t.out);
      break;
    case 2:
      turn(src, static_cast<uint16_t*>(out.raw()), t.spatial, t.in, t.out);
      break;
    case 4:
      turn(src, static_cast<uint32_t*>(out.raw()), t.spatial, t.in, t.out);
      break;
    default:
      turn(src, static_cast<uint64_t*>(out.raw()), t.spatial, t.in, t.out);
  }
  return out;
}

}  // namespace

void name_variables(KerasWeights& layer, bool scale, bool center, const std::string& path) {
  static const std::set<std::string> with_kernel = {
      "conv1d", "conv2d", "conv3d", "conv2d_transpose", "depthwise_conv2d", "dense"};
  static const std::set<std::string> with_gamma = {"layer_normalization", "group_normalization"};
  std::vector<std::string> names;
  const size_t number = layer.variables.size();
  if (with_kernel.count(layer.kind) && number <= 2) {
    names = {"kernel", "bias"};
  } else if (with_gamma.count(layer.kind) && number == 2) {
    names = {"gamma", "beta"};
  } else if (layer.kind == "batch_normalization" && number <= 4) {
    require(number != 3 || scale != center, path, ": batch norm ", in_quotes(layer.layer),
            " has 3 variables and the file does not say whether gamma or beta is missing; save "
            "the model as .keras");
    if (number == 4 || (number == 3 && scale)) names.push_back("gamma");
    if (number == 4 || (number == 3 && center)) names.push_back("beta");
    names.insert(names.end(), {"moving_mean", "moving_variance"});
  }
  for (size_t i = 0; i < number && i < names.size(); ++i) layer.variables[i].name = names[i];
}

void read_variables(Hdf5File& file, const KerasWeights& layer, std::map<std::string, Tensor>& out) {
  const std::string& path = file.bytes().path();
  const auto in_file = [&](const KerasVariable& v) { return layer.layer + "/" + v.name; };
  std::optional<Shape> bias;
  for (const KerasVariable& variable : layer.variables)
    if (variable.name == "bias") bias = file.shape(variable.object, in_file(variable));
  for (const KerasVariable& variable : layer.variables) {
    const Hdf5Array array = file.array(variable.object, in_file(variable));
    const std::string name = layer.layer + "." + torch_name(layer, variable.name);
    const bool kernel =
        name.ends_with(".weight") && variable.name.ends_with("kernel") && array.shape.size() >= 2;
    const bool depthwise =
        kernel && array.shape.size() == 4 && is_depthwise(layer, variable, array.shape, bias);
    file.bytes().keep(2 * name.size());
    Tensor tensor = tensor_of(file.bytes(), array, kernel, depthwise);
    require(out.emplace(name, std::move(tensor)).second, path, ": two layers have a ",
            in_quotes(name), "; give every layer a name of its own");
  }
}

}  // namespace limbic::weights
