#include "limbic/models/models.h"

namespace limbic::models {

std::vector<std::string> model_names() {
  return {"resnet18",
          "resnet34",
          "resnet50",
          "resnet101",
          "resnet152",
          "resnet8",
          "resnet14",
          "resnet20",
          "resnet32",
          "resnet44",
          "resnet56",
          "resnet110",
          "densenet121",
          "densenet161",
          "densenet169",
          "densenet201",
          "densenet_small",
          "squeezenet1_0",
          "squeezenet1_1",
          "alexnet",
          "vgg16",
          "vgg19",
          "vgg16_bn",
          "vgg19_bn",
          "mobilenet_v2",
          "keras_resnet50",
          "keras_resnet101",
          "keras_resnet152",
          "keras_densenet121",
          "keras_densenet169",
          "keras_densenet201",
          "keras_resnet8",
          "keras_mobilenet_025_96"};
}

Model build_model(const std::string& name, int64_t classes) {
  require(classes > 0, "a network needs at least one class, got ", classes);
  if (is_resnet(name)) return resnet(name, classes);
  if (is_cifar_resnet(name)) return cifar_resnet(name, classes);
  if (is_densenet(name)) return densenet(name, classes);
  if (is_squeezenet(name)) return squeezenet(name, classes);
  if (is_vgg(name)) return vgg(name, classes);
  if (name == "alexnet") return alexnet(classes);
  if (name == "mobilenet_v2") return mobilenet_v2(classes);
  if (is_keras_resnet(name)) return keras_resnet(name, classes);
  if (is_keras_densenet(name)) return keras_densenet(name, classes);
  if (name == "keras_resnet8") return keras_resnet8(classes);
  if (name == "keras_mobilenet_025_96") return keras_mobilenet_025_96(classes);
  std::string known;
  for (const auto& model : model_names()) known += (known.empty() ? "" : ", ") + model;
  fail("unknown model '", name, "'; known are ", known);
}

}  // namespace limbic::models
