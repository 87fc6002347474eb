#include <doctest/doctest.h>

#include "limbic/models/models.h"
#include "limbic/twins/check_gradient.h"

using namespace limbic;

TEST_CASE("twins: every layer of a network beside its twin, and a report of those that part") {
  const models::Model model = models::build_model("resnet8", 4);
  const Parameters parameters = model.graph.initialise(5);
  Tensor images({2, 3, 16, 16});
  Random random(1);
  for (float& x : images.values()) x = static_cast<float>(random.normal());
  auto options = PlanOptions::inference(images.shape());
  std::vector<twins::Comparison> layers =
      twins::compare_layers(model.graph, parameters, images, options);
  REQUIRE(std::ssize(layers) == model.graph.size() - 1);
  for (const twins::Comparison& c : layers) {
    CAPTURE(c.what);
    CHECK(c.error < 1e-5);
    CHECK(c.elements > 0);
  }
  CHECK(to_string(layers, 1e-5).find("TOO FAR") == std::string::npos);
  options.batch_statistics = true;
  for (const auto& c : twins::compare_layers(model.graph, parameters, images, options))
    CHECK(c.error < 1e-5);

  layers = {{"output", 1e-8, 210, 60, 0.5, 0.5}, {"gradient of w", 0.52, 6, 4, -5, -2}};
  CHECK(to_string(layers, 1e-5) ==
        "output         1.0e-08  ok       of 210 elements; [60]: 0.5, plain 0.5\n"
        "gradient of w  5.2e-01  TOO FAR  of 6 elements; [4]: -5, plain -2\n");
}
