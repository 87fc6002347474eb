// How the program behaves towards people: help, folders that hold something, names with control
// characters, Ctrl-C, data sets in parts and in tables, pages.
#include <csignal>
#include <fstream>
#include <thread>

#include "tests/cli/world.h"

namespace limbic::testing {
namespace {

const std::string frozen =
    "--diff1 resnet8 --diff1-weights run/weights/final.safetensors --diff2 none "
    "--epochs 0 ";

fs::path at(const std::string& name) { return world().folder.path / name; }

}  // namespace

TEST_CASE("cli: help shows defaults, and ARCH in place of all networks") {
  for (const std::string command : {"help fit", "fit --help"}) {
    const Result r = world().run(command);
    CHECK(r.status == done);
    CHECK(r.out.find("--diff1 ARCH [resnet20]") != std::string::npos);
    CHECK(r.out.find("--epochs 0..100000 [20]") != std::string::npos);
    CHECK(r.out.find("densenet169") == std::string::npos);
  }
  CHECK(world().run("help").out == world().run("--help").out);
  const Result nothing = world().run("");
  CHECK(nothing.status == wrong_usage);
  CHECK(nothing.err.find("classify") != std::string::npos);
  check_failure(world().run("classify --model resnet1 --weights x y"), wrong_usage, "resnet18");
}

TEST_CASE("cli: a folder that holds a model or a run is not overwritten by the way") {
  const std::string fit = "fit --quiet --data photos " + frozen + "--out held";
  REQUIRE(world().run(fit).status == done);
  const std::string before = text_of(at("held/model.json"));
  check_failure(world().run(fit + " --C 3"), failed, "held: holds a model; --resume");
  CHECK(text_of(at("held/model.json")) == before);
  CHECK(world().run(fit + " --resume").status == done);
  CHECK(world().run(fit + " --kernel linear --force").status == done);
  CHECK(text_of(at("held/model.json")) != before);
  const std::string train =
      "train --quiet --data photos --val val --model resnet8 --image-size 16 --epochs 1 --out run";
  check_failure(world().run(train), failed, "run: holds a run");
  // A model that does not come to be leaves no folder.
  CHECK(world()
            .run("fit --quiet --data photos --diff1 resnet8 --diff2 none --epochs 0 --out never")
            .status == failed);
  CHECK_FALSE(fs::exists(at("never")));
}

TEST_CASE("cli: a CNN without weights that nothing trains is named") {
  check_failure(
      world().run("fit --quiet --data photos --diff1 resnet8 --diff2 none --epochs 0 --out never"),
      failed, "diff1 (resnet8): has no weights");
}

TEST_CASE("cli: outputs are looked at before the work") {
  for (const std::string& command :
       std::vector<std::string>{"extract " + network + "--data photos --out no/such/f.safetensors",
                                "convert run/weights/final.safetensors photos --model resnet8",
                                "evaluate model --data val --report no/such/page.html",
                                "classify " + network + "photos/awe/0.png --out no/such/list.csv"})
    check_failure(
        world().run(command), failed,
        command.find("photos --model") == command.npos ? "no/such/" : "photos: is a folder");
}

TEST_CASE("cli: control characters of a file's name do not reach the terminal") {
  const std::string name = "evil\x1b[31m\n.png";
  fs::create_directories(at("odd"));
  testing::write_text((at("odd") / name).string(), "no picture");
  const Result r = world().run("classify " + network + "odd");
  CHECK(r.status == failed);
  CHECK(r.err.find('\x1b') == std::string::npos);
  CHECK(r.err.find("evil\\x1b[31m\\x0a.png") != std::string::npos);
}

TEST_CASE("cli: train goes on to more epochs where the rate does not depend on their number") {
  const auto command = [](int epochs, const std::string& out, const std::string& more) {
    return str_cat(
        "train --quiet --data photos --val val --model resnet8 --image-size 16 "
        "--batch-size 6 --epochs ",
        epochs, " --out ", out, more);
  };
  REQUIRE(world().run(command(2, "longer", "")).status == done);
  REQUIRE(world().run(command(4, "longer", " --resume")).status == done);
  REQUIRE(world().run(command(4, "whole", "")).status == done);
  CHECK(text_of(at("longer/weights/final.safetensors")) ==
        text_of(at("whole/weights/final.safetensors")));
  check_failure(world().run(command(3, "longer", " --resume")), failed, "epochs was 4 and is 3");
  REQUIRE(world().run(command(1, "cosine", " --schedule cosine")).status == done);
  check_failure(world().run(command(2, "cosine", " --schedule cosine --resume")), failed,
                "--schedule constant");
}

TEST_CASE("cli: Ctrl-C says how to go on, leaves nothing half-written, and --resume goes on") {
  const std::string train =
      "train --data photos --val val --model resnet8 --image-size 16 --batch-size 2 --lr 0.01 "
      "--epochs 400 --checkpoint-interval 5 --out stopped";
  const std::string command = "cd '" + world().folder.path.string() +
                              "' && exec '" LIMBIC_PROGRAM "' " + train +
                              " > /dev/null 2> stopped.err";
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    ::_exit(127);
  }
  for (int i = 0; i < 600 && !fs::exists(at("stopped/weights/best.safetensors")); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  ::kill(child, SIGINT);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGINT);
  const std::string said = text_of(world().folder / "stopped.err");
  CHECK(said.find("the same command with --resume goes on from the last checkpoint") !=
        std::string::npos);
  CHECK(world().leftovers().empty());
  check_failure(world().run(train), failed, "stopped: holds a run");
}

TEST_CASE("cli: one writer at a time") {
  const std::string command =
      "cd '" + world().folder.path.string() + "' && exec flock photos sleep 20";
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    ::_exit(127);
  }
  Result r;
  for (int i = 0; i < 50; ++i) {
    r = world().run("fit --quiet --data photos " + frozen + "--out photos --alpha 2");
    r = world().run("fit --quiet --data val " + frozen + "--out photos");
    if (r.status != done) break;
    fs::remove(at("photos/model.json"));
  }
  check_failure(r, failed, "photos: another limbic is writing there");
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
}

TEST_CASE("cli: data sets in parts, by options and by themselves") {
  fs::create_directories(at("whole-set"));
  fs::copy(at("photos"), at("whole-set/train"), fs::copy_options::recursive);
  fs::copy(at("val"), at("whole-set/val"), fs::copy_options::recursive);
  fs::copy_file(at("photos/awe/0.png"), at("whole-set/val/fear/twin.png"));
  const Result own = world().run("fit --format json --data whole-set " + frozen + "--out parted");
  CAPTURE(own.err);
  REQUIRE(own.status == done);
  CHECK(own.object()["fusion_svm"]["samples"] == 7);
  CHECK(own.err.find("a data set in parts") != std::string::npos);
  CHECK(own.err.find("under two labels or in two parts: whole-set/train/awe/0.png "
                     "whole-set/val/fear/twin.png") != std::string::npos);
  fs::remove(at("whole-set/val/fear/twin.png"));
  const Result given =
      world().run("fit --format json --data photos --test val " + frozen + "--out parted2");
  REQUIRE(given.status == done);
  CHECK(given.object()["fusion_svm"]["samples"] == 6);
  const Result checked = world().run("check-data whole-set --format json");
  CHECK(checked.status == done);
  CHECK(checked.objects().size() == 2);
  check_failure(world().run("fit --quiet --data photos --val val --test val --select test " +
                            frozen + "--out never"),
                failed, "either validation pictures choose");
  const Result swept = world().run("sweep --format json --data photos --val val --test val " +
                                   frozen + "--alpha 1 --C 1 --out never2");
  REQUIRE(swept.status == done);
  CHECK(swept.objects().back()["validation_pictures"] == 6);
  CHECK(swept.objects().back()["selection"] == "chosen by the validation pictures");
}

TEST_CASE("cli: a table is a data set too") {
  std::string rows = "image,emotion\r\n";
  for (const std::string name : {"awe", "fear", "joy"})
    for (int i = 0; i < 6; ++i)
      rows += "photos/" + name + "/" + std::to_string(i) + ".png," + name + "\r\n";
  rows += "\"photos/joy/0.png\",\"joy, quiet\"\r\n\"photos/joy/1.png\",\"joy, quiet\"\r\n";
  testing::write_text(world().folder / "table.csv", rows);
  const Result r = world().run("fit --format json --data table.csv " + frozen + "--out tabled");
  CAPTURE(r.err);
  REQUIRE(r.status == done);
  CHECK(r.object()["classes"] == json({"awe", "fear", "joy", "joy, quiet"}));
  CHECK(r.err.find("under two labels") != std::string::npos);
  CHECK(r.object()["cross_validated"]["samples"] == 20);
  testing::write_text(world().folder / "bad.csv", "photos/awe/0.png,awe\nphotos/awe/1.png\n");
  check_failure(world().run("check-data bad.csv"), failed, "bad.csv:2: expected a line");
  testing::write_text(world().folder / "open.csv", "\"photos/awe/0.png,awe\n");
  check_failure(world().run("check-data open.csv"), failed, "open.csv:1: a quotation mark");
  check_failure(world().run("fit --quiet --layout csv --data photos " + frozen + "--out never"),
                failed, "--layout csv expects a file");
}

TEST_CASE("cli: pages of fit, evaluate, train and sweep, and a linear SVM") {
  const auto page = [](const std::string& name) { return text_of(world().folder / name); };
  REQUIRE(world()
              .run("fit --quiet --data photos --test val --kernel linear " + frozen +
                   "--out lines --report fit.html")
              .status == done);
  CHECK(page("fit.html").find("fusion, SVM") != std::string::npos);
  CHECK(page("fit.html").find("http-equiv") == std::string::npos);
  CHECK(json::parse(page("lines/model.json"))["limbic_model"] == 3);
  const Result e = world().run("evaluate lines --data val --report evaluate.html --format json");
  REQUIRE(e.status == done);
  CHECK(page("evaluate.html").find("data:image/png;base64") != std::string::npos);
  REQUIRE(
      world()
          .run("train --quiet --data photos --val val --model resnet8 --image-size 16 --epochs 2 "
               "--batch-size 6 --out drawn --report train.html")
          .status == done);
  CHECK(page("train.html").find("2 of 2 epochs") != std::string::npos);
  const Result s = world().run("sweep --data photos --val val --test val " + frozen +
                               "--alpha 1 --C 0.5,1,2 --kernel linear --out best-of --report "
                               "sweep.html --model-out best-model --format json");
  CAPTURE(s.err);
  REQUIRE(s.status == done);
  CHECK(page("sweep.html").find("Accuracy over alpha") != std::string::npos);
  // The model that was left gives what the sweep said of a fit.
  const Result f = world().run(
      str_cat("fit --data photos --val val --test val --kernel linear ", frozen, "--alpha 1 --C ",
              s.objects().back()["best"]["C"].dump(), " --out same --format json"));
  REQUIRE(f.status == done);
  const Result a = world().run("predict best-model val/joy/6.png --format json"),
               b = world().run("predict same val/joy/6.png --format json");
  CHECK(a.out == b.out);
}

}  // namespace limbic::testing
