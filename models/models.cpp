#include "models/models.h"

namespace limbic {

std::vector<std::string> model_names() {
  return {"resnet18",    "resnet34",       "resnet50",     "resnet101",   "resnet152",
          "resnet8",     "resnet14",       "resnet20",     "resnet32",    "resnet44",
          "resnet56",    "resnet110",      "densenet121",  "densenet161", "densenet169",
          "densenet201", "densenet_small", "squeezenet1_1"};
}

Model build_model(const std::string& name, int64_t classes) {
  require(classes > 0, "a network needs at least one class, got ", classes);
  if (is_resnet(name)) return resnet(name, classes);
  if (is_cifar_resnet(name)) return cifar_resnet(name, classes);
  if (is_densenet(name)) return densenet(name, classes);
  if (name == "squeezenet1_1") return squeezenet1_1(classes);
  std::string known;
  for (const auto& model : model_names()) known += (known.empty() ? "" : ", ") + model;
  fail("unknown model '", name, "'; known are ", known);
}

}  // namespace limbic
