#pragma once
// models: declarations only. A model is a function that appends layers to a graph; a variant is a
// line in a table. Parameter names equal the keys of torchvision's checkpoints.
#include <string>
#include <vector>

#include "limbic/nn/graph/graph.h"

namespace limbic::models {

/// A network ready to be planned. Labels: "features" (N,D), what the last layer sees, which is the
/// global average of the last feature maps or, in AlexNet and VGG, the output of the last hidden
/// linear layer (D = 4096); "logits" (N,classes); and one for each stage ("layer1",
/// "features.denseblock1").
struct Model {
  std::string name;
  Graph graph;
  int64_t classes = 0;
  int64_t image_size = 224;            ///< What the published weights were trained on.
  std::string preset = "torchvision";  ///< Of the published weights (io/preset.h).
  std::string classifier;              ///< Name of its last layer: "fc".
  std::vector<std::string> stages;     ///< Labels in order, for comparisons stage by stage.
};

/// Throws Error, listing the names, for an unknown one.
Model build_model(const std::string& name, int64_t classes);
std::vector<std::string> model_names();

// The families; `name` must be one of theirs.
bool is_resnet(const std::string& name);
Model resnet(const std::string& name, int64_t classes);
bool is_cifar_resnet(const std::string& name);
Model cifar_resnet(const std::string& name, int64_t classes);
bool is_densenet(const std::string& name);
Model densenet(const std::string& name, int64_t classes);

struct DenseNetOptions {
  int64_t growth_rate = 32;
  std::vector<int64_t> block_layers;
  int64_t stem_channels = 64;
  bool small_images = false;  ///< 3x3 stride-1 stem without pooling, for 32 to 64 pixels.
  double dropout = 0;         ///< After each dense layer.
};
/// A DenseNet of any size, torchvision's names.
Model densenet(const std::string& name, const DenseNetOptions& options, int64_t classes);
bool is_squeezenet(const std::string& name);
Model squeezenet(const std::string& name, int64_t classes);
bool is_vgg(const std::string& name);
Model vgg(const std::string& name, int64_t classes);
Model alexnet(int64_t classes);
Model mobilenet_v2(int64_t classes);

// Keras' networks, under Keras' layer names ("conv2_block1_1_conv.weight").
bool is_keras_resnet(const std::string& name);
Model keras_resnet(const std::string& name, int64_t classes);
bool is_keras_densenet(const std::string& name);
Model keras_densenet(const std::string& name, int64_t classes);
Model keras_resnet8(int64_t classes);
Model keras_mobilenet_025_96(int64_t classes);

}  // namespace limbic::models
