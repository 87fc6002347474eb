// limbic explain: its JSON, its page, and what it says of what it cannot do.
#include "tests/cli/world.h"

namespace limbic::testing {

TEST_CASE("cli: explain writes a map a method as JSON") {
  const Result r = world().run(
      "explain " + network +
      "val/awe/6.png --format json --quiet --class fear --method "
      "grad-cam,grad-cam++,eigen-cam,occlusion,score-cam,gradient-x-input,guided-gradient");
  CAPTURE(r.err);
  REQUIRE(r.status == done);
  const std::vector<json> all = r.objects();
  REQUIRE(all.size() == 7);
  for (const json& o : all) {
    CHECK(o.size() == 7);
    check_keys(o, {"image", "class", "method", "layer", "map", "deletion", "insertion"});
    CHECK(o["image"] == "val/awe/6.png");
    CHECK(o["class"] == "fear");
    for (const auto& row : o["map"]) {
      CHECK(row.size() == o["map"][0].size());
      for (const double v : row) CHECK((v >= 0 && v <= 1));
    }
    for (const char* key : {"deletion", "insertion"})
      CHECK((o[key].get<double>() >= 0 && o[key].get<double>() <= 1));
  }
  CHECK(all[0]["method"] == "grad-cam");
  CHECK(all[0]["layer"] == "layer3");
  CHECK(all[0]["map"].size() == 4);
  CHECK(all[5]["map"].size() == 16);
  CHECK(all[6]["method"] == "guided-gradient");
  CHECK(all[6]["map"].size() == 16);
}

TEST_CASE("cli: explain writes one page that stands alone") {
  for (const std::string& what : {network + "val/awe/6.png", std::string("model val/joy/7.png")}) {
    CAPTURE(what);
    const Result r = world().run("explain " + what + " --out page.html --quiet");
    CAPTURE(r.err);
    REQUIRE(r.status == done);
    CHECK(r.out.find("grad-cam") != std::string::npos);
    const std::string page = text_of(world().folder / "page.html");
    CHECK(page.size() < 5000000);
    for (const char* outside : {"<script", "http://", "https://", "<link"})
      CHECK(page.find(outside) == std::string::npos);
    const bool is_model = what.starts_with("model");
    CHECK((page.find("What each block did") != std::string::npos) == is_model);
  }
  const Result r = world().run("explain model val/joy/7.png --format json --quiet");
  REQUIRE(r.status == done);
  CHECK(r.objects()[0]["layer"] == "diff1/layer3");
}

TEST_CASE("cli: fit --keep-thumbnails, and explain's page shows whom a photo is like") {
  CHECK(world().run("fit --help").out.find("--keep-thumbnails") != std::string::npos);
  const Result fitted = world().run(
      "fit --data photos --diff1 resnet8 --diff1-weights run/weights/final.safetensors --diff2 "
      "none --epochs 0 --out kept --keep-thumbnails --quiet");
  CAPTURE(fitted.err);
  REQUIRE(fitted.status == done);
  for (const std::string& model : {std::string("model"), std::string("kept")}) {
    CAPTURE(model);
    const Result r = world().run("explain " + model +
                                 " val/joy/7.png --method grad-cam --out page.html --quiet");
    CAPTURE(r.err);
    REQUIRE(r.status == done);
    const std::string page = text_of(world().folder / "page.html");
    CHECK((page.find("Their photos") != std::string::npos) == (model == "kept"));
  }
  CHECK(world().run("verify kept --quiet").status == done);
}

TEST_CASE("cli: explain says in one line what would work") {
  const auto fails = [](const std::string& arguments, int status, const std::string& mentions) {
    CAPTURE(arguments);
    check_failure(world().run("explain --quiet " + arguments), status, mentions);
  };
  const std::string photo = "val/awe/6.png ";
  fails(network + photo + "--layer nowhere", failed, "layers of feature maps are layer1, layer2");
  fails(network + photo + "--layer logits", failed, "a row of 3 values, and a map needs (N,C,H,W)");
  fails(network + photo + "--class sorrow", failed,
        "expected awe; fear; joy; or a number from 0 to 2");
  fails(network + photo + "--class 3", failed, "a number from 0 to 2");
  fails(network + photo + "--method grad", wrong_usage, "grad-cam");
  fails(network + photo + "--window 17", failed, "does not fit into a picture of 16x16");
  fails(network + "run/results.csv", failed, "not a JPEG");
  fails(network + "nowhere.png", failed, "nowhere.png");
  fails(network + photo + "--out nowhere/page.html", failed, "nowhere/page.html");
  fails(network + "model " + photo, failed, "leave out --model and --weights");
  fails(photo, failed, "expected a model folder and a picture");
  fails("a b c", failed, "expected one picture");
  fails("model " + photo + "--class sorrow", failed, "awe; fear; joy");
  fails("model " + photo + "--layer nowhere", failed, "layers of feature maps are");
  fails("", wrong_usage, "inputs");
}

TEST_CASE("cli: explain --walk writes one page of a picture's way through a network") {
  const Result own = world().run("explain --walk --out lenet.html --quiet");
  REQUIRE(own.status == done);
  CHECK(own.out.find("conv1") != std::string::npos);
  const Result r =
      world().run("explain --walk " + network +
                  "val/joy/7.png --out walk.html --layer layer2 --format json --quiet");
  REQUIRE(r.status == done);
  CHECK(r.objects()[0]["type"] == "conv2d");
  CHECK(r.objects()[0]["forward_ms"].get<double>() > 0);
  for (const char* name : {"lenet.html", "walk.html"}) {
    const std::string page = text_of(world().folder / name);
    CHECK(page.size() < 5000000);
    for (const char* outside : {"http://", "https://", "<link"})
      CHECK(page.find(outside) == std::string::npos);
  }
}

TEST_CASE("cli: explain --walk says in one line what would work, and writes nothing") {
  const auto fails = [](const std::string& arguments, const std::string& mentions) {
    CAPTURE(arguments);
    check_failure(world().run("explain --walk --quiet --out none.html " + arguments), failed,
                  mentions);
    CHECK(!fs::exists(std::string(world().folder / "none.html")));
  };
  const std::string photo = "val/awe/6.png ";
  fails(network + photo + "--layer nowhere", "no layer 'nowhere'; there are conv1, ");
  fails("--layer nowhere", "no layer 'nowhere'; there are conv1, ");
  fails(network + photo + "--class sorrow", "expected awe; fear; joy");
  fails("--class 10", "a number from 0 to 9");
  fails(network + "run/results.csv", "not a JPEG");
  fails(network + "nowhere.png", "nowhere.png");
  fails(network, "needs one picture");
  fails(network + "model " + photo, "needs one picture");
  fails(photo, "needs --weights FILE");
  fails("--model resnet20", "needs --weights FILE");
  fails("--method grad-cam", "leave them out with --walk");
  check_failure(world().run("explain --walk --quiet --out nowhere/walk.html"), failed,
                "nowhere/walk.html");
}

}  // namespace limbic::testing
