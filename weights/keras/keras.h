#pragma once
#include <map>
#include <string>
#include <vector>

#include "limbic/core/file.h"
#include "limbic/core/tensor.h"

namespace limbic::weights {

/// A Keras checkpoint under PyTorch's names and layouts: LAYER.weight, .bias, .running_mean,
/// .running_var. Kernels are turned: (H,W,I,O) -> (O,I,H,W), of dense layers (I,O) -> (O,I), of
/// depthwise convolutions (H,W,I,M) -> (I*M,1,H,W). Variables of other layers keep their own names
/// and layouts. All tensors are copies.
struct KerasFile {
  std::map<std::string, Tensor> tensors;
  /// "keras.version", and "keras.config": the model's JSON. Each only where the file has it.
  /// "keras.names" is "numbered" where layers have no names, see name_keras_layers.
  std::map<std::string, std::string> metadata;
};

/// Whether a file is one that read_keras is for: HDF5, or a zip with Keras 3's weights in it.
bool is_keras(const MappedFile& file);

/// Reads weights and full models in Keras' .h5 format, Keras 3's .weights.h5 and .keras. The first
/// DenseNet files' layers get today's names (conv1/conv -> conv1_conv, fc1000 -> predictions).
///
/// Names: .h5 files and those of Keras since 3.9 name their layers. Older .keras files number them
/// for each class, in the order of config.json, which gives the names. Older .weights.h5 files have
/// numbers only: their layers are called by class and number ("conv2d_3"), see name_keras_layers.
///
/// Throws Error beginning with the path for everything that is damaged, has weights of Theano
/// (whose kernels are turned), or two layers of one name.
/// Source: keras/src/legacy/saving/legacy_h5_format.py, keras/src/saving/saving_lib.py.
KerasFile read_keras(const MappedFile& file);

/// A layer of the network that weights are for.
struct KerasLayerName {
  std::string kind;  ///< Keras' class in snake case: "conv2d".
  std::string name;
};

/// Renames the layers of a "numbered" file: "conv2d_3" is the network's fourth of its kind.
/// `layers` must be in Keras' order. That is all that such a file tells: load_parameters compares
/// the shapes, but two layers of equal shapes in another order go unnoticed. Names that are counted
/// further than the network stay.
void name_keras_layers(std::map<std::string, Tensor>& tensors,
                       const std::vector<KerasLayerName>& layers);

}  // namespace limbic::weights
