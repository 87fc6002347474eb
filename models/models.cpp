#include "limbic/models/models.h"

#include <algorithm>

#include "limbic/models/families.h"
#include "limbic/nn/ops/activation.h"
#include "limbic/nn/ops/linear.h"

namespace limbic::models {
namespace {

// A family with the options of one variant.
template <class Options>
std::function<void(Model&)> of(void (*family)(Model&, const Options&), Options options) {
  return [family, options](Model& model) { family(model, options); };
}

std::vector<Architecture>& table() {
  // layer, squeeze, expand, whether a pool stands before
  static const std::vector<SqueezeNetOptions::Fire> fires_1_0 = {
      {3, 16, 64, true},   {4, 16, 64, false},  {5, 32, 128, false},  {7, 32, 128, true},
      {8, 48, 192, false}, {9, 48, 192, false}, {10, 64, 256, false}, {12, 64, 256, true}};
  static const std::vector<SqueezeNetOptions::Fire> fires_1_1 = {
      {3, 16, 64, true},  {4, 16, 64, false},   {6, 32, 128, true},   {7, 32, 128, false},
      {9, 48, 192, true}, {10, 48, 192, false}, {11, 64, 256, false}, {12, 64, 256, false}};
  // clang-format off
  static std::vector<Architecture> rows = {
      {"resnet18", "fc", of(resnet, {.bottleneck = false, .blocks = {2, 2, 2, 2}})},
      {"resnet34", "fc", of(resnet, {.bottleneck = false, .blocks = {3, 4, 6, 3}})},
      {"resnet50", "fc", of(resnet, {.bottleneck = true, .blocks = {3, 4, 6, 3}})},
      {"resnet101", "fc", of(resnet, {.bottleneck = true, .blocks = {3, 4, 23, 3}})},
      {"resnet152", "fc", of(resnet, {.bottleneck = true, .blocks = {3, 8, 36, 3}})},
      {"resnet18d", "fc", of(resnet, {.bottleneck = false, .blocks = {2, 2, 2, 2}, .deep = true}), "timm-bicubic"},
      {"resnet34d", "fc", of(resnet, {.bottleneck = false, .blocks = {3, 4, 6, 3}, .deep = true}), "timm-bicubic"},
      {"resnet26d", "fc", of(resnet, {.bottleneck = true, .blocks = {2, 2, 2, 2}, .deep = true}), "timm-bicubic"},
      {"resnet50d", "fc", of(resnet, {.bottleneck = true, .blocks = {3, 4, 6, 3}, .deep = true}), "timm-bicubic"},
      {"resnet101d", "fc", of(resnet, {.bottleneck = true, .blocks = {3, 4, 23, 3}, .deep = true}), "timm-bicubic"},
      {"resnet50_v2", "dense0", of(resnet_v2, {.blocks = {3, 4, 6, 3}}), "gluon"},
      {"resnet101_v2", "dense0", of(resnet_v2, {.blocks = {3, 4, 23, 3}}), "gluon"},
      {"resnet50_v2_stage3", "dense0",
       of(resnet_v2, {.blocks = {3, 4, 6}, .last_norm = "stage4"}), "gluon", 224, true},
      {"cifar_resnet18", "fc", of(resnet, {.bottleneck = false, .blocks = {2, 2, 2, 2}, .small_images = true}), "cifar", 32},
      {"cifar_resnet34", "fc", of(resnet, {.bottleneck = false, .blocks = {3, 4, 6, 3}, .small_images = true}), "cifar", 32},
      {"cifar_resnet50", "fc", of(resnet, {.bottleneck = true, .blocks = {3, 4, 6, 3}, .small_images = true}), "cifar", 32},
      {"cifar10_resnet20", "fc", of(cifar_resnet, {.blocks = 3, .projection = true}), "cifar", 32},
      {"cifar10_resnet32", "fc", of(cifar_resnet, {.blocks = 5, .projection = true}), "cifar", 32},
      {"cifar10_resnet44", "fc", of(cifar_resnet, {.blocks = 7, .projection = true}), "cifar", 32},
      {"cifar10_resnet56", "fc", of(cifar_resnet, {.blocks = 9, .projection = true}), "cifar", 32},
      {"resnext50_32x4d", "fc",
       of(resnet, {.bottleneck = true, .blocks = {3, 4, 6, 3}, .groups = 32, .group_width = 4})},
      {"resnext101_32x8d", "fc",
       of(resnet, {.bottleneck = true, .blocks = {3, 4, 23, 3}, .groups = 32, .group_width = 8})},
      {"resnext101_64x4d", "fc",
       of(resnet, {.bottleneck = true, .blocks = {3, 4, 23, 3}, .groups = 64, .group_width = 4})},
      {"wide_resnet50_2", "fc",
       of(resnet, {.bottleneck = true, .blocks = {3, 4, 6, 3}, .group_width = 128})},
      {"wide_resnet101_2", "fc",
       of(resnet, {.bottleneck = true, .blocks = {3, 4, 23, 3}, .group_width = 128})},
      {"resnet8", "linear", of(cifar_resnet, {.blocks = 1}), "cifar", 32},
      {"resnet14", "linear", of(cifar_resnet, {.blocks = 2}), "cifar", 32},
      {"resnet20", "linear", of(cifar_resnet, {.blocks = 3}), "cifar", 32},
      {"resnet32", "linear", of(cifar_resnet, {.blocks = 5}), "cifar", 32},
      {"resnet44", "linear", of(cifar_resnet, {.blocks = 7}), "cifar", 32},
      {"resnet56", "linear", of(cifar_resnet, {.blocks = 9}), "cifar", 32},
      {"resnet110", "linear", of(cifar_resnet, {.blocks = 18}), "cifar", 32},
      {"densenet121", "classifier", of(densenet, {.block_layers = {6, 12, 24, 16}})},
      {"densenet161", "classifier",
       of(densenet, {.growth_rate = 48, .block_layers = {6, 12, 36, 24}, .stem_channels = 96})},
      {"densenet169", "classifier", of(densenet, {.block_layers = {6, 12, 32, 32}})},
      {"densenet201", "classifier", of(densenet, {.block_layers = {6, 12, 48, 32}})},
      {"densenet_small", "classifier",
       of(densenet, {.growth_rate = 12, .block_layers = {4, 4, 4}, .stem_channels = 24,
                     .small_images = true, .dropout = 0.1}), "cifar", 32},
      {"squeezenet1_0", "classifier.1", of(squeezenet, {96, 7, fires_1_0})},
      {"squeezenet1_1", "classifier.1", of(squeezenet, {64, 3, fires_1_1})},
      {"alexnet", "classifier.6", alexnet},
      {"caffenet", "fc8", caffenet, "caffe", 227},
      {"vgg16", "classifier.6", of(vgg, {.convolutions = {2, 2, 3, 3, 3}})},
      {"vgg19", "classifier.6", of(vgg, {.convolutions = {2, 2, 4, 4, 4}})},
      {"vgg16_bn", "classifier.6", of(vgg, {.convolutions = {2, 2, 3, 3, 3}, .batch_norm = true})},
      {"vgg19_bn", "classifier.6", of(vgg, {.convolutions = {2, 2, 4, 4, 4}, .batch_norm = true})},
      {"mobilenet_v2", "classifier.1", mobilenet_v2},
      {"efficientnet_lite0", "_fc", of(efficientnet_lite, {1, 1, 0.2}), "efficientnet-lite0", 224},
      {"efficientnet_lite1", "_fc", of(efficientnet_lite, {1, 1.1, 0.2}), "efficientnet-lite1", 240},
      {"efficientnet_lite2", "_fc", of(efficientnet_lite, {1.1, 1.2, 0.3}), "efficientnet-lite2", 260},
      {"efficientnet_lite3", "_fc", of(efficientnet_lite, {1.2, 1.4, 0.3}), "efficientnet-lite3", 280},
      {"efficientnet_lite4", "_fc", of(efficientnet_lite, {1.4, 1.8, 0.3}), "efficientnet-lite4", 300},
      {"keras_resnet50", "predictions", of(keras_resnet, {{3, 4, 6, 3}}), "keras-caffe"},
      {"keras_resnet101", "predictions", of(keras_resnet, {{3, 4, 23, 3}}), "keras-caffe"},
      {"keras_resnet152", "predictions", of(keras_resnet, {{3, 8, 36, 3}}), "keras-caffe"},
      {"keras_resnet50_v2", "predictions", of(keras_resnet_v2, {{3, 4, 6, 3}}), "keras-tf"},
      {"keras_resnet101_v2", "predictions", of(keras_resnet_v2, {{3, 4, 23, 3}}), "keras-tf"},
      {"keras_resnet152_v2", "predictions", of(keras_resnet_v2, {{3, 8, 36, 3}}), "keras-tf"},
      {"keras_densenet121", "predictions", of(keras_densenet, {{6, 12, 24, 16}}), "keras-torch"},
      {"keras_densenet169", "predictions", of(keras_densenet, {{6, 12, 32, 32}}), "keras-torch"},
      {"keras_densenet201", "predictions", of(keras_densenet, {{6, 12, 48, 32}}), "keras-torch"},
      {"keras_vgg16", "classifier.6", of(vgg, {.convolutions = {2, 2, 3, 3, 3}}), "keras-caffe"},
      {"keras_vgg19", "classifier.6", of(vgg, {.convolutions = {2, 2, 4, 4, 4}}), "keras-caffe"},
      {"keras_mobilenet", "conv_preds", keras_mobilenet, "keras-tf"},
      {"keras_mobilenet_v2", "predictions", keras_mobilenet_v2, "keras-tf"},
      {"keras_resnet8", "dense", keras_resnet8, "keras-cifar", 32},
      {"keras_mobilenet_025_96", "dense", keras_mobilenet_025_96, "keras-vww", 96}};
  // clang-format on
  return rows;
}

}  // namespace

const std::vector<Architecture>& architectures() { return table(); }

void add_architecture(Architecture own) {
  require(!own.name.empty() && own.append, "a network of one's own needs a name and layers");
  for (const Architecture& a : architectures())
    require(a.name != own.name, "there is a network '", own.name, "' already");
  table().push_back(std::move(own));
}

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const Architecture& a : architectures()) names.push_back(a.name);
  return names;
}

const Architecture& find_architecture(const std::string& name) {
  const auto& all = architectures();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Architecture& a) { return a.name == name; });
  if (found != all.end()) return *found;
  std::string known;
  for (const Architecture& a : all) known += (known.empty() ? "" : ", ") + a.name;
  fail("unknown model '", name, "'; known are ", known);
}

Model build_model(const std::string& name, int64_t classes,
                  const std::vector<HiddenLayer>& hidden) {
  require(classes > 0, "a network needs at least one class, got ", classes);
  const Architecture& a = find_architecture(name);
  Model model{.name = a.name,
              .graph = {},
              .classes = hidden.empty() ? classes : hidden[0].width,
              .image_size = a.image_size,
              .preset = a.preset,
              .classifier = a.classifier};
  a.append(model);
  Value x{&model.graph, model.graph.find("logits")};
  for (size_t i = 0; i < hidden.size(); ++i) {
    require(hidden[i].width > 0, name, ": expected hidden layers of one feature at least");
    if (hidden[i].relu) x = relu(x);
    model.classifier = a.classifier + "_" + std::to_string(i + 1);
    x = linear(Scope{&model.graph, model.classifier}, x,
               {.out_features = i + 1 < hidden.size() ? hidden[i + 1].width : classes});
    model.graph.label("logits", x);
  }
  model.classes = classes;
  model.hidden = hidden;
  return model;
}

}  // namespace limbic::models
