// Options that change what comes out do, and what a run cannot honour is said.
#include "tests/cli/world.h"

using namespace limbic;
using namespace limbic::io;
using namespace limbic::weights;
using namespace limbic::testing;

namespace {

std::string path(const std::string& name) { return world().folder / name; }

const std::string training =
    "train --data photos --no-val --model resnet8 --image-size 16 --batch-size 6 --quiet --out ";

std::vector<uint8_t> weights_of(const std::string& run, const std::string& options,
                                int64_t epochs = 1) {
  const Result r =
      world().run(str_cat(training, run, " --lr 0.05 --force --epochs ", epochs, " ", options));
  CAPTURE(r.err);
  CHECK(r.status == done);
  return read_file(path(run + "/weights/final.safetensors"));
}

std::string folder_with(const std::string& name, const std::vector<std::string>& classes) {
  for (size_t c = 0; c < classes.size(); ++c)
    for (uint64_t i = 0; i < 2; ++i)
      testing::write_png(path(str_cat(name, "/", classes[c], "/", i, ".png")),
                         testing::random_picture(16, 16, 50 + 10 * c + i));
  return name;
}

}  // namespace

TEST_CASE("cli: each option of train changes the weights as it says") {
  const auto plain = weights_of("plain", "--augment none");
  CHECK(weights_of("again", "--augment none") == plain);
  for (const std::string options :
       {"--augment none --seed 1", "--augment flip", "--augment cifar", "--augment none --nesterov",
        "--augment none --weight-decay 0.1", "--augment none --label-smoothing 0.2",
        "--augment none --schedule cosine", "--augment none --warmup 1",
        "--augment none --preset keras-caffe", "--augment none --micro-batch 2",
        "--augment none --optimizer adam", "--augment none --optimizer adamw"}) {
    CAPTURE(std::string(options));
    CHECK(weights_of("other", options) != plain);
  }
  CHECK(weights_of("adam", "--augment none --weight-decay 0.1 --optimizer adam") !=
        weights_of("adamw", "--augment none --weight-decay 0.1 --optimizer adamw"));
  check_failure(world().run(training + "adam --lr 0.05 --augment none --epochs 2 --resume"), failed,
                "adam was [0.9,0.999,");
  weights_of("frozen", "--augment none --freeze conv1 bn1 layer1");
  weights_of("start", "--augment none", 0);
  const auto frozen = read_safetensors(path("frozen/weights/final.safetensors")),
             start = read_safetensors(path("start/weights/final.safetensors"));
  for (const auto& [name, tensor] : start.tensors) {
    const auto& label = name;  // clang 14 cannot capture a structured binding
    CAPTURE(label);
    const auto size = static_cast<size_t>(tensor.bytes());
    const bool same = std::memcmp(tensor.raw(), frozen.tensors.at(name).raw(), size) == 0;
    CHECK(same ==
          (name.starts_with("conv1") || name.starts_with("bn1") || name.starts_with("layer1")));
  }
  const json preset = json::parse(start.metadata.at("limbic.preset"));
  CHECK(preset.at("crop") == 16);
}

TEST_CASE("cli: classify and bench heed their options") {
  const std::string classify = "classify --quiet --format json photos/awe/0.png " + network;
  testing::write_text(path("words.txt"), "zero\none\ntwo\n");
  const json named = world().run(classify + "--labels words.txt").object();
  REQUIRE(named.at("top").size() == 3);
  for (const json& top : named["top"])
    CHECK(top.at("label") == std::vector<std::string>{"zero", "one", "two"}.at(top.at("index")));
  const std::string plain = world().run(classify).out;
  CHECK(world().run(classify + "--preset keras-caffe").out != plain);
  CHECK(world().run(classify + "--image-size 24").out != plain);
  for (const std::string threads : {"1", "2"})
    CHECK(world()
              .run("bench --model resnet8 --batch-size 1 --repeat 1 --format json --threads " +
                   threads)
              .object()
              .at("threads") == std::stoi(threads));
}

TEST_CASE("cli: int8 names the calibration pictures that it cannot use") {
  folder_with("calibration", {"a"});
  const std::string classify =
      "classify photos/awe/0.png --dtype int8 --calibration calibration --format json " + network;
  const Result whole = world().run(classify);
  if (whole.status == failed) {
    check_failure(whole, failed, "int8");
    MESSAGE("skipped: this processor has no int8");
    return;
  }
  CHECK(whole.status == done);
  testing::write_text(path("calibration/a/7.png"), "text");
  testing::write_text(path("calibration/notes.txt"), "text");  // not meant to be a picture
  const Result some = world().run(classify);
  CHECK(some.status == some_skipped);
  CHECK(some.out == whole.out);
  CHECK(some.err.find("skipped calibration/a/7.png: ") != std::string::npos);
  CHECK(some.err.find("notes.txt") == std::string::npos);
  for (int i = 0; i < 2; ++i)
    testing::write_png(path(str_cat("calibration/a/", i, ".png")), Picture(16, 16));
  CHECK(world().run(classify).out != whole.out);  // the scales are theirs
}

TEST_CASE("cli: compare heeds --tolerance and --stages") {
  SafetensorsFile file = read_safetensors(world().weights);
  Tensor weight = file.tensors.at("layer2.0.conv1.weight").clone();
  for (float& x : weight.values()) x *= 1.001f;
  file.tensors["layer2.0.conv1.weight"] = weight;
  write_safetensors(path("near.safetensors"), file.tensors, file.metadata);
  const std::string compare =
      "compare " + network + "val/awe/6.png --format json --quiet --against near.safetensors ";
  CHECK(world().run(compare).status == failed);
  const Result loose = world().run(compare + "--tolerance 0.1");
  CHECK(loose.status == done);
  CHECK(loose.objects().back()["tolerance"] == 0.1);
  const Result stages = world().run(compare + "--stages");
  CHECK(stages.status == failed);
  CHECK(stages.objects().size() < loose.objects().size() / 2);
  CHECK(stages.objects().back()["first_apart"] == "layer2");
}

TEST_CASE("cli: classes are matched by the names that the weights give them") {
  // The set without its first class: labels stay what they were.
  fs::copy(world().photos, path("two"), fs::copy_options::recursive);
  fs::remove_all(path("two/awe"));
  const std::string validate = "validate " + network + "--format json --quiet --data ";
  const json all = world().run(validate + "photos").object(),
             two = world().run(validate + "two").object();
  CHECK(two["samples"] == 12);
  CHECK(two["classes"] == all["classes"]);
  CHECK(two["confusion"][0] == json({0, 0, 0}));
  CHECK(two["confusion"][1] == all["confusion"][1]);
  CHECK(two["confusion"][2] == all["confusion"][2]);
  folder_with("others", {"fear", "joy", "zeal"});
  check_failure(world().run(validate + "others"), failed, "unknown class zeal");

  // Weights that name no class: by position, and that is said.
  SafetensorsFile file = read_safetensors(world().weights);
  file.metadata.erase("limbic.classes");
  write_safetensors(path("nameless.safetensors"), file.tensors, file.metadata);
  const Result nameless =
      world().run("validate --model resnet8 --weights nameless.safetensors --data photos");
  CHECK(nameless.status == done);
  CHECK(nameless.err.find("do not name their classes") != std::string::npos);

  // Trained on: another order is put right, other names make a fresh classifier.
  const std::string train =
      "train --model resnet8 --epochs 0 --no-val --weights run/weights/final.safetensors ";
  const Result fresh = world().run(train + "--data others --out fresh");
  CHECK(fresh.status == done);
  CHECK(fresh.err.find("(awe, fear, joy) is replaced by a fresh one of 3 (fear, joy, zeal)") !=
        std::string::npos);
  const auto before = read_safetensors(world().weights).tensors,
             after = read_safetensors(path("fresh/weights/final.safetensors")).tensors;
  const auto equal = [&](const std::string& name) {
    return std::ranges::equal(before.at(name).values(), after.at(name).values());
  };
  CHECK(equal("conv1.weight"));
  CHECK_FALSE(equal("linear.weight"));
  CHECK(world().run(train + "--data photos --out same").err.find("its classifier") ==
        std::string::npos);
}

TEST_CASE("cli: one unreadable picture does not stop a small training") {
  fs::copy(world().photos, path("flawed"), fs::copy_options::recursive);
  testing::write_text(path("flawed/awe/9.png"), "text");
  const Result r = world().run(
      "train --data flawed --no-val --model resnet8 --image-size 16 --epochs 2 --lr 0.05 --out "
      "flawed_run --format json");
  CHECK(r.status == some_skipped);
  CHECK(r.err.find("skipped flawed/awe/9.png") != std::string::npos);
  CHECK(r.err.find("micro-batch: 18 of a batch of 18") != std::string::npos);
  for (const json& epoch : r.objects()) {
    CHECK(epoch.at("train_loss") > 0);
    CHECK(epoch.at("validation_loss").is_null());  // there was none
  }
  const Result away = world().run(training + "away --epochs 1 --lr 1e30");
  check_failure(away, failed, "(epoch 1)");
  CHECK_FALSE(fs::exists(path("away/weights/last.safetensors")));
}

TEST_CASE("cli: --resume goes on with the same weights and pictures alone") {
  fs::copy(world().photos, path("mine"), fs::copy_options::recursive);
  const std::string fit =
      "fit --data mine --diff1 resnet8 --diff2 none --image-size 16 --epochs 1 --batch-size 4 "
      "--out mine_model --quiet ";
  CHECK(world().run(fit).status == done);
  CHECK(world().run(fit + "--resume").status == done);
  const std::string train =
      "train --data mine --no-val --model resnet8 --image-size 16 --epochs 1 --quiet --out "
      "mine_run --resume ";
  CHECK(world().run(train).status == done);
  check_failure(world().run(train + "--weights " + world().weights), failed, "starting_weights");
  fs::rename(path("mine/awe"), path("mine/x"));
  fs::rename(path("mine/joy"), path("mine/awe"));
  fs::rename(path("mine/x"), path("mine/joy"));
  check_failure(world().run(train), failed, "training_pictures");
  check_failure(world().run(fit + "--resume"), failed, "pictures");
}

TEST_CASE("cli: numbers that are none, and options before the verb") {
  testing::write_text(path("two.txt"), "1 1:1 2:3\n-1 1:2 2:1\n1 1:2 2:4\n-1 1:0 2:1\n");
  for (const std::string arguments :
       {"train --data photos --out n --model resnet8 --momentum nan",
        "train --data photos --out n --model resnet8 --warmup nan",
        "train --data photos --out n --model resnet8 --label-smoothing -nan",
        "train --data photos --out n --model resnet8 --lr inf",
        "train --data photos --out n --model resnet8 --seed -1",
        "train --data photos --out n --model resnet8 --epochs 1.5",
        "fit --data photos --out n --C nan", "svm-scale -u inf two.txt",
        "svm-scale -y nan 1 two.txt", "svm-train -r nan two.txt", "svm-train -m 1e13 two.txt",
        "svm-grid -m 1e13 two.txt", "--quiet frobnicate"}) {
    CAPTURE(std::string(arguments));
    check_failure(world().run(arguments), wrong_usage, "--help");
  }
  const std::string gamma = "fit --data photos --out n --diff1 resnet8 --diff2 none --gamma ";
  check_failure(world().run(gamma + "inf"), failed, "--gamma");
  CHECK_FALSE(fs::exists(path("n")));
  CHECK(world().run("svm-train -q -c 0.01 -w1 20 two.txt after.model").status == done);
  CHECK(world().run("svm-train -q -c 0.01 two.txt plain.model").status == done);
  CHECK(text_of(path("after.model")) != text_of(path("plain.model")));
  for (const std::string before : {"--quiet", "--threads 1 --quiet", "--format=text --seed 0"}) {
    CAPTURE(before);
    CHECK(world().run(before + " svm-train -q -c 0.01 -w1 20 two.txt before.model").status == done);
    CHECK(text_of(path("before.model")) == text_of(path("after.model")));
  }
  CHECK(world().run("--quiet svm-grid -log2c 0,1,1 -log2g 0,0,1 -v 2 two.txt").status == done);
  CHECK(world().run("svm-train -q -b 1 two.txt both.model").status == done);
  CHECK(world().run("svm-predict -q -b 1 two.txt both.model both.out").status == done);
  CHECK(text_of(path("both.out")).starts_with("labels 1 -1\n"));
  CHECK(world().run("svm-predict -q two.txt both.model label.out").status == done);
  CHECK(text_of(path("label.out")).find(' ') == std::string::npos);
}

TEST_CASE("cli: a disk that fills up leaves no half of a file") {
  const std::string convert =
      "convert run/weights/final.safetensors filled.safetensors --quiet "
      "--model resnet8";
  check_failure(world().run(convert, "", "ulimit -f 8;"), failed, "filled.safetensors");
  CHECK_FALSE(fs::exists(path("filled.safetensors")));
  CHECK(world().run(convert).status == done);
  const auto whole = read_file(path("filled.safetensors"));
  check_failure(world().run(convert, "", "ulimit -f 8;"), failed, "File too large");
  CHECK(read_file(path("filled.safetensors")) == whole);
}

TEST_CASE("cli: verify reads what model.json names, and all of it") {
  fs::copy(world().model, path("verified"), fs::copy_options::recursive);
  testing::write_text(path("verified/diff2.safetensors"), "left over from another model");
  const Result r = world().run("verify verified --format json");
  CAPTURE(r.err);
  CHECK(r.status == done);
  for (const json& line : r.objects())
    CHECK(line.at("file").get<std::string>().find("diff1") != std::string::npos);
  std::string classifier;
  for (const auto& entry : fs::directory_iterator(path("verified")))
    if (entry.path().filename().string().starts_with("classifier")) classifier = entry.path();
  REQUIRE(!classifier.empty());
  testing::write_text(classifier, "damaged");
  check_failure(world().run("verify verified"), failed, "classifier");
  check_failure(world().run("verify photos"), failed, "model.json");
}

#ifdef LIMBIC_KILL_AT_RENAME
TEST_CASE("cli: a training killed between any two writes ends with the same bytes") {
  const auto command = [](const std::string& out) {
    return "train --data photos --val val --model resnet8 --image-size 16 --epochs 2 --batch-size "
           "6 "
           "--lr 0.05 --checkpoint-interval 2 --quiet --out " +
           out;
  };
  REQUIRE(world().run(command("undisturbed")).status == done);
  const std::vector<std::string> files = {"final", "best"};
  int kills = 0;
  for (int at = 1; at < 40; ++at) {
    CAPTURE(at);
    const std::string out = str_cat("killed", at);
    const Result killed = world().run(
        command(out), "",
        str_cat("LD_PRELOAD=" LIMBIC_KILL_AT_RENAME ":$LD_PRELOAD LIMBIC_KILL_AT=", at));
    if (killed.status == done) break;
    ++kills;
    CHECK(killed.status == 128 + 9);
    const Result resumed = world().run(command(out) + " --resume");
    CAPTURE(resumed.err);
    CHECK(resumed.status == done);
    for (const std::string& file : files)
      CHECK(read_file(path(out + "/weights/" + file + ".safetensors")) ==
            read_file(path("undisturbed/weights/" + file + ".safetensors")));
    CHECK(fs::exists(path(out + "/results.csv")));
    fs::remove_all(path(out));
  }
  CHECK(kills >= 9);
}
#endif
