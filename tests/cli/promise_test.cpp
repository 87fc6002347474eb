// What earlier versions wrote is read with the same digits: tests/goldens/promise keeps, of each
// format, what the version wrote that brought it.
#include "tests/cli/world.h"

namespace limbic::testing {
namespace {

const std::string kept = LIMBIC_SOURCE_DIR "/tests/goldens/promise/";

void check_same(const std::string& verb, const std::string& expected_file) {
  const Result r = world().run(verb + " '" + kept + "photo.png' --format json --quiet");
  CAPTURE(r.err);
  REQUIRE(r.status == done);
  const json got = r.object(), expected = json::parse(text_of(kept + expected_file));
  const std::string key = got.contains("top") ? "top" : "probabilities";
  if (key == "top") {
    for (size_t i = 0; i < expected["top"].size(); ++i) {
      CHECK(got["top"][i]["index"] == expected["top"][i]["index"]);
      CHECK(got["top"][i]["label"] == expected["top"][i]["label"]);
      CHECK(got["top"][i]["probability"].get<double>() ==
            doctest::Approx(expected["top"][i]["probability"].get<double>()).epsilon(1e-4));
    }
  } else {
    CHECK(got["emotion"] == expected["emotion"]);
    for (const auto& [name, p] : expected[key].items())
      CHECK(got[key][name].get<double>() == doctest::Approx(p.get<double>()).epsilon(1e-4));
  }
}

}  // namespace

TEST_CASE("promise: model folders of formats 2 and 3 predict what they predicted") {
  check_same("predict '" + kept + "model2'", "model2.json");
  check_same("predict '" + kept + "model3'", "model3.json");
}

TEST_CASE("promise: a training's checkpoint classifies, and goes on") {
  check_same("classify --weights '" + kept + "run/weights/last.safetensors'", "run.json");
  fs::copy(kept + "run", world().folder.path / "kept-run", fs::copy_options::recursive);
  fs::copy(kept + "photos", world().folder.path / "kept-photos", fs::copy_options::recursive);
  const Result r = world().run(
      "train --quiet --data kept-photos --no-val --model resnet8 --image-size 16 --batch-size 4 "
      "--epochs 2 --lr 0.01 --out kept-run --resume --threads 2 --format json");
  CAPTURE(r.err);
  REQUIRE(r.status == done);
  const auto epochs = r.objects();
  CHECK(epochs.size() == 2);
  const double loss = json::parse(text_of(kept + "epochs.json"))["train_loss"];
  CHECK(epochs[1]["train_loss"].get<double>() == doctest::Approx(loss).epsilon(1e-3));
}

TEST_CASE("promise: a format that is newer is named") {
  fs::create_directories(world().folder.path / "newer");
  testing::write_text((world().folder.path / "newer/model.json").string(), "{\"limbic_model\":99}");
  check_failure(world().run("predict newer photos/awe/0.png"), failed,
                "a model folder of format 99");
}

}  // namespace limbic::testing
