#pragma once
// The families of networks: each function appends layers to `model.graph`, whose input is a picture
// (N,3,H,W), labels them and fills in `model.stages`. What a variant is, its options say.
#include <vector>

#include "limbic/models/models.h"

namespace limbic::models {

struct ResNetOptions {
  bool bottleneck = false;
  std::vector<int64_t> blocks;  ///< Of each stage.
  /// Of the 3x3 convolution of a bottleneck: its groups (ResNeXt, Xie et al. 2016,
  /// arXiv:1611.05431) and the channels of each in the first stage (more than 64 in one group: Wide
  /// ResNet, Zagoruyko and Komodakis 2016, arXiv:1605.07146).
  int64_t groups = 1, group_width = 64;
  /// Three 3x3 convolutions in place of the 7x7, and shortcuts that average before they project:
  /// ResNet-D (He et al. 2018, arXiv:1812.01187), timm's names.
  bool deep = false;
  bool small_images = false;  ///< A 3x3 stride-1 stem without pooling, for 32 pixels.
};
void resnet(Model& model, const ResNetOptions& options);

struct CifarResNetOptions {
  int64_t blocks = 1;       ///< Of each of the three stages: n of 6n+2 layers.
  bool projection = false;  ///< Shortcuts by a 1x1 convolution (option B), "fc" for "linear".
};
void cifar_resnet(Model& model, const CifarResNetOptions& options);

struct DenseNetOptions {
  int64_t growth_rate = 32;
  std::vector<int64_t> block_layers;
  int64_t stem_channels = 64;
  bool small_images = false;  ///< 3x3 stride-1 stem without pooling, for 32 to 64 pixels.
  double dropout = 0;         ///< After each dense layer.
};
void densenet(Model& model, const DenseNetOptions& options);

struct SqueezeNetOptions {
  struct Fire {
    int64_t layer, squeeze, expand;  ///< Layer: torchvision's number.
    bool pool_before;
  };
  int64_t stem_channels, stem_kernel;
  std::vector<Fire> fires;
};
void squeezenet(Model& model, const SqueezeNetOptions& options);

struct VggOptions {
  std::vector<int64_t> convolutions;  ///< Of each block, whose widths are 64 128 256 512 512.
  bool batch_norm = false;
};
void vgg(Model& model, const VggOptions& options);

struct ResNetV2Options {
  std::vector<int64_t> blocks;  ///< Of each stage.
  std::string last_norm = {};   ///< The stage whose first batch norm ends the network; or none.
};
void resnet_v2(Model& model, const ResNetV2Options& options);

struct EfficientNetLiteOptions {
  double width = 1, depth = 1;  ///< Factors of the widths and the blocks of a stage.
  double dropout = 0.2;
};
void efficientnet_lite(Model& model, const EfficientNetLiteOptions& options);

void alexnet(Model& model);
void caffenet(Model& model);
void mobilenet_v2(Model& model);

// Keras' networks, under Keras' layer names ("conv2_block1_1_conv.weight").
struct KerasResNetOptions {
  std::vector<int64_t> blocks;  ///< Of each stage.
};
void keras_resnet(Model& model, const KerasResNetOptions& options);
void keras_resnet_v2(Model& model, const KerasResNetOptions& options);

struct KerasDenseNetOptions {
  std::vector<int64_t> block_layers;
};
void keras_densenet(Model& model, const KerasDenseNetOptions& options);

void keras_mobilenet(Model& model);
void keras_mobilenet_v2(Model& model);
void keras_resnet8(Model& model);
void keras_mobilenet_025_96(Model& model);

}  // namespace limbic::models
