#include <doctest/doctest.h>

#include "limbic/models/models.h"
#include "limbic/weights/load.h"

using namespace limbic;
using namespace limbic::models;
using namespace limbic::weights;

TEST_CASE("models: a checkpoint of other classes keeps all but the classifier, in every family") {
  for (const char* name :
       {"resnet18", "resnet20", "densenet_small", "densenet121", "squeezenet1_1"}) {
    CAPTURE(std::string(name));
    const Model from = build_model(name, 10), to = build_model(name, 3);
    const Parameters published = from.graph.initialise(1);
    std::map<std::string, Tensor> file;
    for (const auto& [key, parameter] : published) file[key] = parameter.value;
    Parameters own = to.graph.initialise(2);
    CHECK_THROWS_AS(load_parameters(file, own), Error);
    const LoadReport report = load_parameters(file, own, {.replaceable = {to.classifier}});
    CHECK(report.replaced.size() == 2);  // weight and bias
    for (const auto& [key, parameter] : own) {
      if (key.rfind(to.classifier + ".", 0) == 0 || parameter.value.dtype() != DType::f32) continue;
      const auto a = parameter.value.values(), b = published.at(key).value.values();
      CHECK(std::equal(a.begin(), a.end(), b.begin(), b.end()));
    }
  }
}
