#pragma once
// models: declarations only. A network is a row of the table in models.cpp and a function that
// appends its layers to a graph (families.h). Parameter names equal the keys of torchvision's
// checkpoints, or Keras' layer names.
#include <functional>
#include <string>
#include <vector>

#include "limbic/nn/graph/graph.h"

namespace limbic::models {

/// A linear layer between the features and the last one.
struct HiddenLayer {
  int64_t width = 0;
  bool relu = true;  ///< Behind it.
};

/// A network ready to be planned. Labels: "features" (N,D), what the last layer sees, which is the
/// global average of the last feature maps or, in AlexNet, CaffeNet and VGG, the output of the last
/// hidden linear layer (D = 4096); "logits" (N,classes); and one for each stage ("layer1",
/// "features.denseblock1").
struct Model {
  std::string name;
  Graph graph;
  int64_t classes = 0;
  int64_t image_size = 224;            ///< What the published weights were trained on.
  std::string preset = "torchvision";  ///< Of the published weights (io/preset.h).
  std::string classifier;              ///< Name of its last layer: "fc".
  std::vector<std::string> stages;     ///< Labels in order, for comparisons stage by stage.
  std::vector<HiddenLayer> hidden;     ///< As in build_model.
};

/// What is known of a network before it is built; the members are Model's.
struct Architecture {
  std::string name;
  std::string classifier;
  std::function<void(Model&)> append;  ///< Its layers, labels and stages, for `classes` classes.
  std::string preset = "torchvision";
  int64_t image_size = 224;
  /// Ends before the network does whose weights it takes: what comes behind is left out.
  bool partial = false;
};

/// All networks, in the order in which they are listed.
const std::vector<Architecture>& architectures();
/// Adds one's own to them, at the program's start: references into the list do not outlive it.
/// Throws Error where it has no name, no layers, or another's name.
void add_architecture(Architecture own);
/// Throws Error, listing the names, for an unknown one.
const Architecture& find_architecture(const std::string& name);
std::vector<std::string> model_names();
/// Throws Error for an unknown name, and for fewer classes than one. With `hidden` the last layer
/// becomes the first of several, "fc", "fc_1", ..., whose last one gives the classes.
Model build_model(const std::string& name, int64_t classes,
                  const std::vector<HiddenLayer>& hidden = {});

}  // namespace limbic::models
