#pragma once
#include "limbic/core/file.h"
#include "limbic/weights/checkpoint.h"

namespace limbic::weights {

/// Reads weights and full models in Keras' .h5 format, Keras 3's .weights.h5 and .keras, under
/// PyTorch's names and layouts: LAYER.weight, .bias, .running_mean, .running_var. Kernels are
/// turned: (H,W,I,O) -> (O,I,H,W), of dense layers (I,O) -> (O,I), of depthwise convolutions
/// (H,W,I,M) -> (I*M,1,H,W). Variables of other layers keep their own names and layouts. All
/// tensors are copies. The first DenseNet files' layers get today's names (conv1/conv ->
/// conv1_conv, fc1000 -> predictions).
///
/// Metadata, each only where the file has it: "keras.version", and "keras.config", the model's
/// JSON. "keras.names" is "numbered" where layers have no names (weights/layer_names.h).
///
/// Names: .h5 files and those of Keras since 3.9 name their layers. Older .keras files number them
/// for each class, in the order of config.json, which gives the names. Older .weights.h5 files have
/// numbers only: their layers are called by class and number ("conv2d_3"), see
/// weights/layer_names.h.
///
/// Throws Error beginning with the path for everything that is damaged, has weights of Theano
/// (whose kernels are turned), or two layers of one name.
/// Source: keras/src/legacy/saving/legacy_h5_format.py, keras/src/saving/saving_lib.py.
Checkpoint read_keras(const MappedFile& file, const ReadOptions& options = {});

/// What a program that reads Keras' files appends to formats() (weights/checkpoint.h).
inline constexpr Format keras_format{"Keras", is_keras, read_keras};

}  // namespace limbic::weights
