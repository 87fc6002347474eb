#include "tests/cli/world.h"

using namespace limbic;
using namespace limbic::weights;
using namespace limbic::testing;

TEST_CASE("cli: convert and verify") {
  const Result converted = world().run(
      "convert run/weights/final.safetensors small.safetensors "
      "--model resnet8 --format json --quiet");
  CAPTURE(converted.err);
  REQUIRE(converted.status == done);
  CHECK(converted.object()["model"] == "resnet8");
  const SafetensorsFile file = read_safetensors(world().folder / "small.safetensors");
  CHECK(file.metadata.at("limbic.model") == "resnet8");
  CHECK(file.metadata.at("limbic.source_sha256") == sha256_of_file(world().weights));
  CHECK(json::parse(file.metadata.at("limbic.classes")) == json({"awe", "fear", "joy"}));

  // The same answers as from the original, the same bytes again.
  const std::string classify = "classify --model resnet8 val/awe/6.png --format json --weights ";
  CHECK(world().run(classify + "small.safetensors").out ==
        world().run(classify + "run/weights/final.safetensors").out);
  const std::string before = sha256_of_file(world().folder / "small.safetensors");
  REQUIRE(world().run("convert small.safetensors again.safetensors --model resnet8").status ==
          done);
  REQUIRE(world()
              .run("convert run/weights/final.safetensors small.safetensors --model resnet8")
              .status == done);
  CHECK(sha256_of_file(world().folder / "small.safetensors") == before);

  for (const char* target : {"small.safetensors", "model"}) {
    CAPTURE(target);
    const Result verified = world().run(str_cat("verify ", target, " --format json"));
    CAPTURE(verified.err);
    CHECK(verified.status == done);
    CHECK(verified.objects().size() == 6);
    CHECK(verified.objects()[0]["passed"] == true);
  }
  REQUIRE(world()
              .run("convert run/weights/final.safetensors half.safetensors --model resnet8 "
                   "--dtype f16")
              .status == done);
  CHECK(world().run("verify half.safetensors").status == done);
  CHECK(fs::file_size(world().folder / "half.safetensors") <
        fs::file_size(world().folder / "small.safetensors"));

  CHECK(world().run(classify + "small.safetensors --check").status == done);
  check_failure(world().run(classify + "run/weights/final.safetensors --check"), failed,
                "no test case");
  check_failure(world().run("verify run/weights/final.safetensors"), failed, "no test case");
  check_failure(world().run("convert nowhere.pth out.safetensors --model resnet8"), failed,
                "nowhere.pth");
  check_failure(
      world().run("convert run/weights/final.safetensors out.safetensors --model resnet14"), failed,
      "missing");
  CHECK_FALSE(fs::exists(world().folder / "out.safetensors"));
}

TEST_CASE("cli: compare") {
  const std::string base = "compare " + network + "val/awe/6.png --format json --quiet ";
  const Result dumped = world().run(base + "--dump own.safetensors");
  CAPTURE(dumped.err);
  REQUIRE(dumped.status == done);

  const Result same = world().run(base + "--against own.safetensors");
  CHECK(same.status == done);
  const auto lines = same.objects();
  CHECK(lines.size() > 10);
  CHECK(lines[0]["layer"] == "input");
  CHECK(lines.back()["first_apart"].is_null());
  CHECK(lines.back()["compared"] == lines.size() - 1);

  // Other weights in one layer: nothing before it parts, the layer does.
  SafetensorsFile file = read_safetensors(world().weights);
  Tensor weight = file.tensors.at("layer2.0.conv1.weight").clone();
  for (float& x : weight.values()) x *= 1.01f;
  file.tensors["layer2.0.conv1.weight"] = weight;
  write_safetensors(world().folder / "changed.safetensors", file.tensors, file.metadata);
  const Result apart = world().run(base + "--against changed.safetensors");
  CHECK(apart.status == failed);
  CHECK(apart.objects().back()["first_apart"] == "layer2.0.conv1");

  check_failure(world().run("compare " + network + "val/awe/6.png --quiet"), failed, "--against");
  check_failure(world().run("compare " + network + "--against changed.safetensors --quiet"), failed,
                "which picture");
}

TEST_CASE("cli: weights") {
  const auto listed = world().run("weights list --format json").objects();
  CHECK(listed.size() > 30);
  for (const json& file : listed) check_keys(file, {"name", "model", "preset", "url", "bytes"});
  CHECK(world().run("weights url resnet101-63fe2227.pth").out ==
        "curl -fL -o resnet101-63fe2227.pth "
        "https://download.pytorch.org/models/resnet101-63fe2227.pth\n");
  check_failure(world().run("weights url resnet101.pth"), failed, "weights list");
  check_failure(world().run("weights verify run/weights/final.safetensors"), failed,
                "none of the published files");
}
