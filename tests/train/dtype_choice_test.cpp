#include "limbic/network/dtype_choice.h"

#include <doctest/doctest.h>

#include "limbic/core/random.h"

using namespace limbic;
using namespace limbic::network;

namespace {

struct World {
  models::Model model = models::build_model("resnet8", 10);
  Parameters parameters = model.graph.initialise(1);
  int asked = 0;

  DtypeQuestion question(double agreement) {
    PlanOptions options = PlanOptions::inference({1, 3, 32, 32});
    options.slow_int8 = true;
    return {model, parameters, options,
            [this] {
              ++asked;
              Tensor images({8, 3, 32, 32});
              Random random(2);
              for (float& x : images.values()) x = static_cast<float>(random.normal());
              return std::vector{images};
            },
            agreement};
  }
};

size_t last(const models::Model&, const Parameters&, const std::vector<PlanOptions>& options) {
  return options.size() - 1;
}
size_t first(const models::Model&, const Parameters&, const std::vector<PlanOptions>&) { return 0; }

}  // namespace

TEST_CASE("dtype auto: the fastest that keeps the first classes") {
  World world;
  const std::vector<DType> both = {DType::f32, DType::i8};
  SUBCASE("fast and good enough") {
    const DtypeAnswer answer = choose_dtype(world.question(0), both, last);
    CHECK(answer.options.dtype == DType::i8);
    CHECK_FALSE(answer.options.calibration.empty());
    CHECK(answer.reason.find("int8, the fastest here of f32, int8; it keeps ") == 0);
  }
  SUBCASE("fast and not good enough") {
    const DtypeAnswer answer = choose_dtype(world.question(1.5), both, last);
    CHECK(answer.options.dtype == DType::f32);
    CHECK(answer.options.calibration.empty());
    CHECK(answer.reason.find("f32; int8 keeps ") == 0);
    CHECK(answer.reason.find(" of f32's first classes on 8 pictures, not the 150 % asked for") !=
          std::string::npos);
  }
  SUBCASE("not fast") {
    const DtypeAnswer answer = choose_dtype(world.question(0), both, first);
    CHECK(answer.options.dtype == DType::f32);
    CHECK(answer.reason == "f32, the fastest here of f32, int8");
  }
  SUBCASE("nothing to choose from: no pictures are asked for") {
    const DtypeAnswer answer = choose_dtype(world.question(0), {DType::f32});
    CHECK(answer.options.dtype == DType::f32);
    CHECK(world.asked == 0);
  }
}

TEST_CASE("dtype auto: one of the plans is the fastest, and is so again") {
  World world;
  std::vector<PlanOptions> options = {world.question(0).options, world.question(0).options};
  options[1].dtype = DType::i8;
  const DtypeAnswer answer = choose_dtype(world.question(0), {DType::f32, DType::i8}, last);
  options[1] = answer.options;
  const size_t chosen = fastest_plan(world.model, world.parameters, options);
  CHECK(chosen < 2);
  CHECK(fastest_plan(world.model, world.parameters, options) == chosen);
}
