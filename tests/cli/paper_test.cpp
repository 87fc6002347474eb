// The paper's side of the program: layouts, features of others, frozen layers, reproduce.
#include "tests/cli/world.h"

using namespace limbic;
using namespace limbic::testing;

TEST_CASE("--block: features of others, matched by path, give the same model bit for bit") {
  const World& w = world();
  const std::string net = " --diff1 resnet8 --diff1-weights " + w.weights;
  REQUIRE(w.run("extract --model resnet8 --weights " + w.weights + " --data " + w.photos +
                " --out blocks.safetensors")
              .status == done);
  const Result own = w.run("fit --data " + w.photos + net + " --diff2 none --epochs 0 --out own_m");
  REQUIRE_MESSAGE(own.status == done, own.err);
  const Result block = w.run("fit --data " + w.photos +
                             " --block diff1=blocks.safetensors --diff2 none --epochs 0 "
                             "--out block_m");
  REQUIRE_MESSAGE(block.status == done, block.err);
  const auto hash = [&](const std::string& dir) {
    return json::parse(text_of(w.folder / (dir + "/model.json"))).at("classifier").at("sha256");
  };
  CHECK(hash("own_m") == hash("block_m"));
  // Such a model says that it wants features, and takes them.
  const Result photo = w.run("predict block_m $(ls " + w.photos + "/*/* | head -1)");
  CHECK(photo.status == failed);
  CHECK(is_one_line(photo.err));
  CHECK(contains(photo.err, "--block diff1=FILE.safetensors"));
  const Result again =
      w.run("evaluate block_m --data " + w.photos + " --block diff1=blocks.safetensors --quiet");
  CHECK(again.status == done);
  CHECK(again.out == w.run("evaluate own_m --data " + w.photos + " --quiet").out);
  for (const auto& [arguments, part] :
       {std::pair{"--block diff1=blocks.safetensors" + net, "a CNN in that place already"},
        std::pair{std::string("--block Clip=blocks.safetensors"), "expected NAME=FILE.safetensors"},
        std::pair{std::string("--block clip=" + w.weights), "has no tensor 'features'"},
        std::pair{std::string("--block clip=blocks.safetensors --block clip=blocks.safetensors"),
                  "given twice"}}) {
    const Result bad = w.run("fit --data " + w.photos + " --diff2 none --epochs 0 --out bad_m " +
                             arguments + (contains(arguments, "--diff1 ") ? "" : net));
    CHECK(bad.status == failed);
    CHECK_MESSAGE(contains(bad.err, part), bad.err);
  }
  // Of other pictures.
  const Result others = w.run("fit --data " + w.val +
                              " --block diff1=blocks.safetensors "
                              "--diff2 none --epochs 0 --out bad_m");
  CHECK(others.status == failed);
  CHECK_MESSAGE(contains(others.err, "has no features of"), others.err);
}

TEST_CASE("--layout: ArtPhoto's folder is found, and read by every verb with --data") {
  const World& w = world();
  int number = 0;
  for (const char* emotion : {"awe", "fear", "sad"})
    for (int i = 0; i < 4; ++i)
      testing::write_png(
          w.folder / str_cat("art/testImages_artphoto/", emotion, "_", 1000 + i, ".jpg"),
          testing::random_picture(40, 40, static_cast<uint64_t>(++number)));
  const Result check = w.run("check-data art --format json");
  CHECK(check.status == done);
  CHECK(check.object().at("classes").at("sadness") == 4);
  const Result found =
      w.run("extract --model resnet8 --weights " + w.weights + " --data art --out art.safetensors");
  CHECK(found.status == done);
  CHECK(contains(found.err, "laid out as artphoto"));
  const Result wrong = w.run("check-data art --layout emotionroi");
  CHECK(wrong.status == failed);
  CHECK(is_one_line(wrong.err));
  CHECK(w.run("check-data art --layout fo").status == wrong_usage);
}

TEST_CASE("train --freeze-until: what is frozen is computed once, and the run says so") {
  const World& w = world();
  const std::string train = "train --data " + w.photos + " --val " + w.val +
                            " --model resnet8 --weights " + w.weights +
                            " --epochs 1 --batch-size 4 --freeze-until layer2 --out prefix_run";
  const Result first = w.run(train);
  REQUIRE_MESSAGE(first.status == done, first.err);
  CHECK(contains(first.err, "is frozen: what it gives is computed once"));
  const Result unknown = w.run(train + "2 --cache-dtype f16");
  CHECK(unknown.status == wrong_usage);
  const Result nowhere =
      w.run("train --data " + w.photos + " --val " + w.val + " --model resnet8 --weights " +
            w.weights + " --epochs 1 --freeze-until layer9 --out prefix_run3");
  CHECK(nowhere.status == failed);
  CHECK_MESSAGE(is_one_line(nowhere.err), nowhere.err);
}

TEST_CASE("reproduce: a study from the command line, and what it refuses") {
  const World& w = world();
  const std::string nets = " --diff1 resnet8 --diff1-weights " + w.weights +
                           " --diff2 none --supplement none --epochs 0 --C 1.5 --alpha 0,1 "
                           "--beta 0 --baselines hog --no-grid";
  const Result study = w.run("reproduce --data " + w.photos + nets + " --out study --format json");
  REQUIRE_MESSAGE(study.status == done, study.err);
  const json j = study.object();
  CHECK(j.at("table3").size() == 3);
  CHECK(j.at("table3")[0].at("method") == "HOG");
  CHECK(j.at("table3")[0].at("printed") == 0.4467);
  CHECK(j.at("table3")[0].at("interval").size() == 2);
  CHECK(j == json::parse(text_of(w.folder / "study/reproduce.json")));
  CHECK(w.run("predict study/model $(ls " + w.photos + "/*/* | head -1)").status == done);
  // A folder of a study is not overwritten, and gone on with where that is wanted.
  CHECK(w.run("reproduce --data " + w.photos + nets + " --out study").status == failed);
  json again =
      w.run("reproduce --data " + w.photos + nets + " --out study --resume --format json").object();
  for (const char* name : {"timings", "command"}) again.erase(name);
  json before = j;
  for (const char* name : {"timings", "command"}) before.erase(name);
  CHECK(again == before);
  const Result estimate =
      w.run("reproduce --data " + w.photos + nets + " --out guess --estimate --format json");
  CHECK(estimate.status == done);
  CHECK(estimate.object().at("seconds") > 0);

  for (const auto& [arguments, part] :
       {std::pair{std::string(nets), "give the primary set"},
        std::pair{" --data " + w.photos, "give --diff1-weights"},
        std::pair{" --data " + w.photos + " --fi " + w.photos + nets, "give the primary set"},
        std::pair{" --fi " + w.photos + nets, "is none of the eight of --layout fi"},
        std::pair{" --data " + w.photos + nets + " --artphoto absent", "no such folder"},
        std::pair{" --data " + w.photos + nets + " --folds 90", "fewer than folds"},
        std::pair{" --data " + w.photos + nets + " --abstract " + w.photos, ""},
        std::pair{" --data " + w.photos + nets + ",hogg", "unknown"}}) {
    std::string text = arguments;
    if (const size_t at = text.find(",hogg"); at != text.npos)
      text = text.substr(0, at) + " --baselines hogg";
    const Result bad =
        w.run("reproduce" + text + str_cat(" --out bad_study", std::hash<std::string>()(text)));
    CAPTURE(text);
    if (std::string(part).empty()) continue;
    CHECK_MESSAGE(bad.status != done, bad.out);
    CHECK_MESSAGE(contains(bad.err, part), bad.err);
  }
}
