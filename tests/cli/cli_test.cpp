#include <sstream>

#include "tests/cli/world.h"

using namespace limbic;
using namespace limbic::weights;
using namespace limbic::testing;

namespace {

// The verbs that `limbic --help` lists, so that none is left out here.
std::vector<std::string> verbs() {
  const Result r = world().run("--help");
  REQUIRE(r.status == done);
  const std::string& help = r.out;
  const size_t list = help.find("Subcommands:\n");
  REQUIRE(list != std::string::npos);
  std::vector<std::string> out;
  std::istringstream lines(help.substr(help.find('\n', list) + 1));
  for (std::string line; std::getline(lines, line) && line.starts_with("  ");)
    if (line[2] != ' ') out.push_back(line.substr(2, line.find(' ', 2) - 2));  // else it goes on
  return out;
}

}  // namespace

TEST_CASE("cli: every verb has help with an example") {
  const std::vector<std::string> all = verbs();
  // What docs and scripts call; a verb that vanishes is noticed.
  for (const char* known : {"demo", "fit", "sweep", "svm-grid", "weights"})
    CHECK(std::count(all.begin(), all.end(), known) == 1);
  for (const std::string& verb : all) {
    CAPTURE(verb);
    const Result r = world().run(verb + " --help");
    CHECK(r.status == done);
    CHECK(r.err == "");
    CHECK(r.out.find("Example:\n  limbic " + verb) != std::string::npos);
    for (const char* common : {"--threads", "--seed", "--format"}) {  // lack their value
      CHECK(world().run(verb + " " + common).status == wrong_usage);
    }
  }
}

TEST_CASE("cli: wrong usage is one line and exit status 2") {
  for (const std::string arguments :
       {"frobnicate",
        "classify",
        "--frobnicate",
        "bench --model resnet8 --frobnicate",
        "bench --model resnet19",
        "bench --model resnet8 --batch-size 0",
        "bench --model resnet8 --batch-size many",
        "bench --model resnet8 --format yaml",
        "bench --model resnet8 --mode sleep",
        "summary resnet8 resnet20",
        "classify --model resnet8 --weights x",
        "fit --data photos",
        "fit --data photos --out m --alpha 0.5 --beta 0.5",
        "fit --data photos --out m --alpha 2",
        "train --data photos --out r --model resnet8 --schedule sometimes",
        "svm-train",
        "svm-train -t 5 x",
        "svm-train -c 0 x",
        "svm-train -g -1 x",
        "svm-train -e inf x",
        "svm-train -c 1,5 x",
        "svm-scale -r a -s b x",
        "evaluate model --data val --layout heap"}) {
    CAPTURE(std::string(arguments));
    check_failure(world().run(arguments), wrong_usage, "--help");
  }
}

TEST_CASE("cli: classify") {
  const std::string two = "photos/awe/0.png photos/joy/1.png";
  const auto all = world().run("classify " + network + two + " --format json").objects();
  REQUIRE(all.size() == 2);
  CHECK(all[0].at("image") == "photos/awe/0.png");
  REQUIRE(all[0].at("top").size() == 3);
  const std::vector<std::string> classes = {"awe", "fear", "joy"};
  double sum = 0, last = 1;
  for (const json& top : all[0]["top"]) {
    CHECK(top.at("label") == classes.at(top.at("index")));  // the checkpoint names its classes
    CHECK(top.at("probability") <= last);
    sum += last = top["probability"].get<double>();
  }
  CHECK(sum == doctest::Approx(1).epsilon(1e-5));

  testing::write_text(world().folder / "labels.txt", "wonder\nfear\njoy\n");
  const Result named =
      world().run("classify " + network + "--labels labels.txt --top 1 --format json " + two);
  CHECK(named.status == done);
  for (const json& o : named.objects()) {
    REQUIRE(o.at("top").size() == 1);
    CHECK(o["top"][0].at("label").get<std::string>().size() >= 3);
  }
  // Any batch size, any number of threads: the same order and nearly the same numbers.
  const Result one = world().run("classify " + network + two + " --batch-size 1 --threads 1");
  CHECK(one.status == done);
  CHECK(one.out.starts_with("photos/awe/0.png\n  "));
  testing::write_text(world().folder / "few.txt", "awe\n");
  check_failure(world().run("classify --quiet " + network + "--labels few.txt " + two), failed,
                "1 labels");
}

TEST_CASE("cli: predict and evaluate") {
  const Result p = world().run("predict model photos/awe/0.png photos/joy/1.png --format json");
  CHECK(p.status == done);
  REQUIRE(p.objects().size() == 2);
  for (const json& o : p.objects()) {
    check_keys(o, {"image", "emotion", "probabilities"});
    std::string best;
    double highest = -1, sum = 0;
    for (const auto& [emotion, probability] : o["probabilities"].items()) {
      sum += probability.get<double>();
      if (probability.get<double>() > highest) best = emotion;
      highest = std::max(highest, probability.get<double>());
    }
    CHECK(o["emotion"] == best);
    CHECK(sum == doctest::Approx(1));
  }
  const Result e = world().run("evaluate model --data val --format json --quiet");
  CHECK(e.status == done);
  const json j = e.object();
  check_keys(j, {"accuracy", "samples", "per_class", "confusion", "classes"});
  CHECK(j["samples"] == 6);
  CHECK(j["classes"] == json({"awe", "fear", "joy"}));
  int right = 0, all = 0;
  for (size_t t = 0; t < 3; ++t)
    for (size_t c = 0; c < 3; ++c) {
      all += j["confusion"][t][c].get<int>();
      if (t == c) right += j["confusion"][t][c].get<int>();
    }
  CHECK(all == 6);
  CHECK(j["accuracy"].get<double>() == doctest::Approx(right / 6.0));
  check_keys(j["per_class"]["awe"], {"precision", "recall", "f1", "samples"});
  CHECK(world().run("evaluate model --data val").out.find("confusion") != std::string::npos);
}

TEST_CASE("cli: fit with training, and resume") {
  const std::string arguments =
      "fit --data photos --diff1 resnet8 --diff2 none --image-size 16 --epochs 1 --batch-size 4 "
      "--out fitted --format json --quiet";
  const Result r = world().run(arguments);
  CAPTURE(r.err);
  CHECK(r.status == done);
  check_keys(r.object(), {"model", "classes", "training_pictures", "diff1", "fusion_svm",
                          "fusion_dense", "selection"});
  const Result again = world().run(arguments + " --resume");
  CHECK(again.status == done);
  CHECK(again.object() == r.object());
}

TEST_CASE("cli: train and validate") {
  const std::string arguments =
      "train --data photos --no-val --model resnet8 --image-size 16 --epochs 2 --batch-size 6 "
      "--lr 0.05 --out trained --format json";
  const Result r = world().run(arguments);
  CAPTURE(r.err);
  CHECK(r.status == done);
  REQUIRE(r.objects().size() == 2);
  check_keys(r.objects()[0], {"epoch", "train_loss", "train_accuracy", "learning_rate"});
  const auto bytes = read_file(world().folder / "trained/weights/final.safetensors");
  fs::remove(world().folder / "trained/weights/final.safetensors");
  const Result resumed = world().run(arguments + " --resume");
  CHECK(resumed.err.find("resumed at step 6") != std::string::npos);
  CHECK(read_file(world().folder / "trained/weights/final.safetensors") == bytes);
  check_failure(world().run(arguments + " --resume --quiet --momentum 0.5"), failed,
                "other options");

  const Result v = world().run("validate --data val " + network + "--format json --quiet");
  CHECK(v.status == done);
  const json j = v.object();
  check_keys(j, {"accuracy", "top5", "loss", "samples", "per_class", "confusion", "classes"});
  CHECK(j["samples"] == 6);
  CHECK(j["top5"] == 1.0);
  CHECK(j["loss"].get<double>() > 0);
  CHECK(world().run("validate --data val " + network).out.starts_with(" * Acc@1 "));
}

TEST_CASE("cli: extract, and an SVM on what it wrote") {
  const Result r = world().run("extract " + network + "--data photos --out f.safetensors");
  CAPTURE(r.err);
  CHECK(r.status == done);
  const SafetensorsFile file = read_safetensors(world().folder / "f.safetensors");
  CHECK(file.tensors.at("features").shape() == Shape{18, 64});
  CHECK(file.tensors.at("labels").dtype() == DType::i64);
  CHECK(json::parse(file.metadata.at("paths")).size() == 18);
  CHECK(json::parse(file.metadata.at("classes")) == json({"awe", "fear", "joy"}));
  CHECK(file.metadata.at("checkpoint_sha256") == sha256_of_file(world().weights));
  CHECK(world().run("svm-train -q -c 10 f.safetensors f.model").status == done);
  const json j = world().run("svm-predict f.safetensors f.model f.out --format json").object();
  CHECK(j.at("samples") == 18);
  CHECK(j.at("accuracy").get<double>() > 0.8);
  check_failure(
      world().run("extract --quiet " + network + "--data photos --layer here --out g.safetensors"),
      failed, "'here'");
  CHECK_FALSE(fs::exists(world().folder / "g.safetensors"));
}

TEST_CASE("cli: summary, bench, check-data") {
  const json s = world().run("summary resnet18 --image-size 64 --format json").object();
  check_keys(s, {"model", "parameters", "macs", "layers"});
  CHECK(s["parameters"] == 11689512);
  int64_t macs = 0;
  for (const json& layer : s["layers"]) macs += layer.at("macs").get<int64_t>();
  CHECK(s["macs"] == macs);
  CHECK(world().run("summary resnet18 --image-size 64").out.find("11689512") != std::string::npos);

  for (const std::string mode : {"infer", "train"}) {
    const json b =
        world()
            .run("bench --model resnet8 --batch-size 2 --repeat 2 --format json --mode " + mode)
            .object();
    check_keys(b, {"model", "mode", "dtype", "batch_size", "threads", "images_per_second",
                   "median_ms", "peak_rss_mb", "gflops"});
    CHECK(b["mode"] == mode);
    CHECK(b["images_per_second"].get<double>() > 0);
  }

  fs::copy(world().photos, world().folder / "checked", fs::copy_options::recursive);
  fs::copy_file(world().photos + "/awe/0.png", world().folder / "checked/joy/twin.png");
  testing::write_text(world().folder / "checked/awe/text.jpg", "text");
  testing::write_text(world().folder / "checked/awe/notes.txt", "text");
  fs::create_directory(world().folder / "checked/zeal");
  const Result r = world().run("check-data checked --format json --quiet");
  CHECK(r.status == failed);  // as fit would, for the empty class
  const json j = r.object();
  CHECK(j.at("usable") == 19);
  CHECK(j.at("classes").at("awe") == 6);
  REQUIRE(j.at("unusable").size() == 1);
  CHECK(j["unusable"][0].at("image") == "checked/awe/text.jpg");
  CHECK(j.at("duplicates").size() == 1);
  CHECK(j.at("empty_classes") == json({"zeal"}));
  CHECK(world().run("check-data photos").status == done);
}

TEST_CASE("cli: svm-scale, svm-train, svm-predict") {
  std::string train;
  Random random(1);
  for (int i = 0; i < 60; ++i) {
    const int label = i % 2 ? 1 : -1;
    train += str_cat(label, " 1:", 100 * random.normal() + 150 * label, " 2:", random.normal(),
                     " 3:7\n");
  }
  testing::write_text(world().folder / "t.txt", train);
  CHECK(world().run("svm-scale -l 0 -u 1 -s range t.txt", "t.scaled").status == done);
  CHECK(world().run("svm-scale -r range t.txt", "t.again").status == done);
  CHECK(text_of(world().folder / "t.scaled") == text_of(world().folder / "t.again"));
  CHECK(text_of(world().folder / "range").starts_with("x\n0 1\n1 "));
  // Targets of a regression, theirs being scaled too.
  testing::write_text(world().folder / "r.txt", "0.5 1:1\n2.5 1:3\n1 1:2\n");
  const Result targets = world().run("svm-scale -y -1 1 -s r.range r.txt");
  CHECK(targets.out == "-1 1:-1\n1 1:1\n-0.5\n");
  CHECK(text_of(world().folder / "r.range") == "y\n-1 1\n0.5 2.5\nx\n-1 1\n1 1 3\n");
  CHECK(world().run("svm-scale -r r.range r.txt").out == targets.out);
  CHECK(world().run("svm-scale r.txt").out == "0.5 1:-1\n2.5 1:1\n1\n");
  const json j = world().run("svm-train -c 2 -g 0.5 t.scaled t.model --format json").object();
  check_keys(j, {"model", "total_sv", "gamma", "pairs"});
  const Result p = world().run("svm-predict t.scaled t.model t.out");
  CHECK(p.status == done);
  CHECK(p.out.starts_with("Accuracy = "));
  const std::string labels = text_of(world().folder / "t.out");
  CHECK(std::count(labels.begin(), labels.end(), '\n') == 60);
  // The default name, LIBSVM's weights and -h, cross-validation.
  CHECK(world().run("svm-train -w1 2 -w-1 0.5 t.scaled").status == done);
  CHECK(fs::exists(world().folder / "t.scaled.model"));
  CHECK(world().run("svm-train -w1 2 -w-1 0.5 t.scaled weighted.model").status == done);
  CHECK(text_of(world().folder / "weighted.model") == text_of(world().folder / "t.scaled.model"));
  CHECK(world().run("svm-train -h 0 t.scaled").status == done);
  CHECK(world().run("svm-train -v 5 t.scaled").out.starts_with("Cross Validation Accuracy = "));
}

TEST_CASE("cli: LIBSVM's habits") {
  // A range file that knows more features than the data: what they lack is a 0, scaled.
  testing::write_text(world().folder / "w.txt", "1 1:1 3:2\n2 1:3 3:6\n");
  testing::write_text(world().folder / "n.txt", "1 1:1\n2 1:3\n");
  CHECK(world().run("svm-scale -s w.range w.txt").status == done);
  CHECK(world().run("svm-scale -r w.range n.txt").out == "1 1:-1 3:-2\n2 1:1 3:-2\n");
  CHECK(world().run("svm-scale -s n.range n.txt").status == done);
  const Result other = world().run("svm-scale -r n.range w.txt");
  CHECK(other.err.find("lacks features of the data, which are left out: 2, 3") != other.err.npos);
  // Times and numbers beyond f32's digits are all different.
  testing::write_text(world().folder / "i.txt", "1 1:100000000\n2 1:100000001\n3 1:100000003\n");
  CHECK(world().run("svm-scale -l 0 i.txt").out == "1\n2 1:0.333333333\n3 1:1\n");
  for (const char* options : {"-w5 2", "-w+1 2", "-g 0", "-s 3 -w1 2", "-v 500"})
    CHECK(world().run("svm-train -q " + std::string(options) + " w.txt m").status == done);
  // Pipes, devices, links.
  CHECK(world().run("svm-train -q w.txt m").status == done);
  CHECK(world().run("svm-predict -q /dev/stdin m /dev/stdout <w.txt").out == "1\n2\n");
  CHECK(world().run("svm-predict -q w.txt m /dev/null").status == done);
  testing::write_text(world().folder / "target", "old");
  fs::create_symlink("target", world().folder / "link");
  CHECK(world().run("svm-predict -q w.txt m link").status == done);
  CHECK(fs::is_symlink(world().folder / "link"));
  CHECK(text_of(world().folder / "target") == "1\n2\n");
  // Regression without errors has a scale of 0, and keeps large targets' digits.
  testing::write_text(world().folder / "c.txt", "1000000004 1:1\n1000000004 1:2\n1000000004 1:3\n");
  CHECK(world().run("svm-train -q -s 3 -b 1 c.txt m").status == done);
  CHECK(text_of(world().folder / "m").find("probA 0\n") != std::string::npos);
  CHECK(world().run("svm-predict -b 1 -q c.txt m out").status == done);
  CHECK(text_of(world().folder / "out").starts_with("1000000004\n"));
}

TEST_CASE("cli: bad pictures are skipped with the reason, strange ones are used") {
  const std::string goldens = LIMBIC_SOURCE_DIR "/tests/goldens/pictures/";
  const auto path = [](const std::string& name) { return world().folder / name; };
  testing::write_text(path("text.jpg"), "this is no picture");
  testing::write_text(path("empty.jpg"), "");
  auto bytes = read_file(goldens + "rgb.jpg");
  bytes.resize(bytes.size() / 3);
  testing::write_bytes(path("cut.jpg"), bytes);
  testing::write_png(path("tiny.png"), testing::random_picture(1, 1, 1));
  testing::write_png(path("wide.png"), testing::random_picture(10, 20000, 1));
  testing::write_png(path("tall.png"), testing::random_picture(20000, 10, 1));
  const std::vector<std::string> bad = {"text.jpg", "empty.jpg", "nowhere.jpg"};
  const std::vector<std::string> good = {"tiny.png",
                                         "wide.png",
                                         "tall.png",
                                         goldens + "cmyk.jpg",
                                         goldens + "rgb16.png",
                                         goldens + "palette.png"};
  std::string all = "cut.jpg ";
  for (const auto& name : bad) all += name + " ";
  for (const auto& name : good) all += name + " ";
  for (const std::string& verb : {"classify " + network, std::string("predict model ")}) {
    CAPTURE(verb);
    const Result r = world().run(verb + all + "--format json --quiet");
    CHECK(r.status == some_skipped);
    const auto objects = r.objects();
    REQUIRE(objects.size() == 1 + bad.size() + good.size());
    for (const json& o : objects) {
      const std::string image = o.at("image");
      CAPTURE(image);
      const bool is_bad = std::count(bad.begin(), bad.end(), image) > 0;
      if (image != "cut.jpg") CHECK(o.contains("error") == is_bad);
      if (!o.contains("error")) continue;
      CHECK(o["error"].get<std::string>().find('\n') == std::string::npos);
      CHECK(r.err.find("skipped " + image + ": ") != std::string::npos);
    }
    CHECK(world().run(verb + good[0] + " " + good[3]).status == done);
    CHECK(world().run(verb + bad[0]).status == failed);
    // Folders, standard input, a table.
    const Result folder = world().run(verb + "photos - --out t.csv --format json <" + good[0]);
    CHECK(folder.status == done);
    CHECK(folder.objects().size() == 19);
    CHECK(folder.objects().back().at("image") == "-");
    const std::string table = testing::text_of(path("t.csv"));
    CHECK(table.starts_with("image,"));
    CHECK(table.find("\n-,") != table.npos);
    CHECK(world().run(verb + "- </dev/null").status == failed);
  }
  // A file whose name is no UTF-8 still gives JSON.
  testing::write_text(path("\xff.jpg"), "text");
  CHECK(world().run("classify --quiet --format json " + network + "'\xff.jpg'").objects().size() >=
        1);
}

TEST_CASE("cli: bad folders") {
  const auto path = [](const std::string& name) { return world().folder / name; };
  fs::create_directories(path("flat"));
  testing::write_png(path("flat/a.png"), testing::random_picture(16, 16, 1));
  fs::create_directories(path("hollow/awe"));
  const std::string train = " --model resnet8 --image-size 16 --epochs 1 --out nothing --quiet";
  for (const std::string dir : {"flat", "hollow", "nowhere", "stdout"}) {
    CAPTURE(std::string(dir));
    check_failure(world().run("train --data " + dir + train), failed, dir);
    check_failure(
        world().run("fit --diff1 resnet8 --diff2 none --out nothing --quiet --data " + dir), failed,
        dir);
    check_failure(world().run("validate --quiet " + network + "--data " + dir), failed, dir);
    check_failure(world().run("extract --quiet --out nothing " + network + "--data " + dir), failed,
                  dir);
    check_failure(world().run("evaluate model --quiet --data " + dir), failed, dir);
  }
  CHECK_FALSE(fs::exists(path("nothing")));

  // A class with one picture; it is in the training part.
  fs::copy(world().photos, path("single"), fs::copy_options::recursive);
  testing::write_png(path("single/zeal/only.png"), testing::random_picture(16, 16, 5));
  const Result r = world().run("train --data single --batch-size 5" + train);
  CAPTURE(r.err);
  CHECK(r.status == done);
  fs::remove_all(path("nothing"));
  CHECK(world()
            .run("fit --data single --diff1 resnet8 --diff1-weights run/weights/final.safetensors "
                 "--diff2 none --epochs 0 --out nothing --quiet")
            .status == done);
  fs::remove_all(path("nothing"));

  // One bad picture among good ones is skipped; only bad ones fail.
  testing::write_text(path("single/awe/0.png"), "text");
  CHECK(world().run("train --data single --batch-size 5" + train).status == some_skipped);
  fs::remove_all(path("nothing"));
  for (const auto& entry : fs::recursive_directory_iterator(path("single")))
    if (entry.is_regular_file()) testing::write_text(entry.path(), "text");
  const std::vector<std::string> all_bad = {
      "train --data single --batch-size 5" + train,
      "fit --data single --diff1 resnet8 --diff2 none --epochs 0 --out nothing --quiet",
      "validate --quiet --model resnet8 --weights run/weights/last.safetensors --data single"};
  for (const std::string& verb : all_bad) {
    CAPTURE(verb);
    const Result bad = world().run(verb);
    CAPTURE(bad.err);
    CHECK(bad.status == failed);
    CHECK(world().leftovers().empty());
  }
}

TEST_CASE("cli: a folder that vanishes while it is read") {
  // The program is stopped between the listing and the reading by a data set on a path that goes
  // away: links whose target is removed stand in for it.
  const auto path = [](const std::string& name) { return world().folder / name; };
  fs::copy(world().photos, path("there"), fs::copy_options::recursive);
  for (const std::string c : {"awe", "fear", "joy"}) {
    fs::create_directories(path("links/" + c));
    for (int i = 0; i < 6; ++i)
      fs::create_symlink(path(str_cat("there/", c, "/", i, ".png")),
                         path(str_cat("links/", c, "/", i, ".png")));
  }
  fs::remove_all(path("there/joy"));
  const Result some =
      world().run("extract --quiet --out links.safetensors " + network + "--data links");
  CAPTURE(some.err);
  CHECK((some.status == some_skipped || some.status == failed));
  fs::remove_all(path("there"));
  const Result none =
      world().run("extract --quiet --out none.safetensors " + network + "--data links");
  CAPTURE(none.err);
  CHECK(none.status == failed);
  CHECK_FALSE(fs::exists(path("none.safetensors")));
  CHECK(world().leftovers().empty());
}

TEST_CASE("cli: a full disk") {
  const auto full = [](const std::string& arguments) {
    check_failure(world().run(arguments), failed, "/dev/full");
    CHECK(fs::is_character_file("/dev/full"));
  };
  full("extract --quiet " + network + "--data photos --out /dev/full");
  testing::write_text(world().folder / "s.txt", "1 1:1\n-1 1:-1\n");
  full("svm-train -q s.txt /dev/full");
  CHECK(world().run("svm-train -q s.txt s.model").status == done);
  testing::write_text(world().folder / "t.txt", "1 1:1\n-1 1:-1\n1 1:2\n-1 1:-2\n1 1:3\n-1 1:-3\n");
  full("svm-predict -q s.txt s.model /dev/full");
  // Results that standard output does not take are lost, and that is said.
  for (const std::string& arguments :
       {std::string("svm-scale s.txt"), std::string("summary resnet8 --image-size 32"),
        "classify --quiet " + network + "photos/awe/0.png",
        std::string("predict model photos/awe/0.png --format json"),
        std::string("check-data photos --quiet"), std::string("svm-train -v 2 t.txt")}) {
    CAPTURE(arguments);
    check_failure(world().run(arguments, "/dev/full"), failed, "standard output");
  }
  // A folder that is a file.
  testing::write_text(world().folder / "file", "text");
  check_failure(world().run("fit --data photos --diff1 resnet8 --diff1-weights "
                            "run/weights/final.safetensors --diff2 none --epochs 0 --quiet --out "
                            "file"),
                failed, "file");
  check_failure(world().run("train --data photos --model resnet8 --quiet --out file"), failed,
                "file");
}

TEST_CASE("cli: bad weights") {
  const auto bytes = read_file(world().weights);
  const auto classify = [](const std::string& file, const std::string& model = "resnet8") {
    return world().run("classify --quiet --model " + model + " --weights " + file +
                       " photos/awe/0.png");
  };
  const auto path = [](const std::string& name) { return world().folder / name; };
  check_failure(classify("run/weights/final.safetensors", "resnet20"), failed, "missing");
  check_failure(classify("run/weights/final.safetensors", "squeezenet1_1"), failed, "missing");
  check_failure(classify("nowhere.safetensors"), failed, "nowhere.safetensors");
  check_failure(classify("photos"), failed, "photos");
  check_failure(classify("photos/awe/0.png"), failed, "0.png");
  for (size_t part = 0; part < 12; ++part) {
    testing::write_bytes(
        path("cut.safetensors"),
        {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(bytes.size() * part / 12)});
    check_failure(classify("cut.safetensors"), failed, "cut.safetensors");
  }
  const auto with_header = [&](const std::string& header) {
    std::vector<uint8_t> file(8);
    for (size_t i = 0; i < 8; ++i) file[i] = static_cast<uint8_t>(header.size() >> (8 * i));
    file.insert(file.end(), header.begin(), header.end());
    file.resize(file.size() + 64);
    testing::write_bytes(path("odd.safetensors"), file);
    check_failure(classify("odd.safetensors"), failed, "odd.safetensors");
  };
  with_header(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[18446744073709551600,64]}})");
  with_header(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,9999999999]}})");
  with_header(R"({"a":{"dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4]}})");
  with_header(R"({"a":{"dtype":"F32","shape":[-16],"data_offsets":[0,64]}})");
  with_header(R"({"a":{"dtype":"F32","shape":[16],"data_offsets":[64,0]}})");
  with_header("{");
  std::vector<uint8_t> huge(bytes);
  std::fill_n(huge.begin(), 8, uint8_t{255});
  testing::write_bytes(path("huge.safetensors"), huge);
  check_failure(classify("huge.safetensors"), failed, "huge.safetensors");

  fs::copy(world().model, path("model2"), fs::copy_options::recursive);
  testing::write_text(path("model2/model.json"), "{}");
  check_failure(world().run("predict model2 photos/awe/0.png"), failed, "model.json");
  check_failure(world().run("predict photos photos/awe/0.png"), failed, "not a model folder");
}

TEST_CASE("cli: bad features") {
  const auto path = [](const std::string& name) { return world().folder / name; };
  for (const std::string line :
       {"1 1:nan", "1 1:inf", "1 1:x", "1 -1:1", "1 2:1 1:1", "x 1:1", ""}) {
    CAPTURE(std::string(line));
    testing::write_text(path("bad.txt"), (line.empty() ? "" : "1 1:1\n-1 1:2\n") + line + "\n");
    check_failure(world().run("svm-train -q bad.txt bad.model"), failed, "bad.txt");
    CHECK_FALSE(fs::exists(path("bad.model")));
    check_failure(world().run("svm-scale bad.txt"), failed, "bad.txt");
  }
  testing::write_text(path("one.txt"), "1 1:1\n1 1:2\n");
  const Result one = world().run("svm-train -q one.txt one.model");
  CHECK(one.status == done);
  CHECK(one.err.find("only one class") != std::string::npos);
  CHECK(world().run("svm-predict one.txt one.model o").out ==
        "Accuracy = 100% (2/2) (classification)\n");
  Tensor features({4, 2});
  features.data()[3] = NAN;
  const Tensor labels = Tensor::of(std::vector<int64_t>{0, 1, 0, 1}, {4});
  write_safetensors(path("nan.safetensors"), {{"features", features}, {"labels", labels}});
  check_failure(world().run("svm-train -q nan.safetensors bad.model"), failed, "");
  check_failure(world().run("svm-predict -q one.txt nowhere.model o"), failed, "nowhere.model");
  testing::write_text(path("wrong.model"), "svm_type c_svc\nkernel_type rbf\n");
  check_failure(world().run("svm-predict -q one.txt wrong.model o"), failed, "wrong.model");
  CHECK_FALSE(fs::exists(path("bad.model")));
}
