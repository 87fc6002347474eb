// svm-grid and sweep: searches over many cells, resumable.
#include <algorithm>

#include "limbic/core/random.h"
#include "tests/cli/world.h"

using namespace limbic;
using namespace limbic::testing;

namespace {

// Two noisy classes in LIBSVM's format.
void write_classes(const std::string& path) {
  std::string text;
  Random random(3);
  for (int i = 0; i < 80; ++i) {
    const int label = i % 2;
    text += str_cat(label, " 1:", random.normal() + label, " 2:", random.normal() - label, "\n");
  }
  testing::write_text(path, text);
}

std::vector<std::string> sorted_lines(const std::string& path) {
  std::istringstream in(text_of(path));
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  std::sort(lines.begin(), lines.end());
  return lines;
}

// The file as a killed run leaves it: some lines, the last one cut.
void cut(const std::string& from, const std::string& to, double share) {
  const std::string text = text_of(from);
  testing::write_text(to, text.substr(0, static_cast<size_t>(share * double(text.size()))));
}

// What a search leaves when it goes on from part of its cells is what it leaves undisturbed.
void check_resume(const std::string& command, const std::string& cells) {
  const std::string path = world().folder / cells;
  const Result whole = world().run(command);
  CAPTURE(whole.err);
  REQUIRE(whole.status == done);
  const auto lines = sorted_lines(path);
  testing::write_text(path + ".whole", text_of(path));
  for (double share : {0.2, 0.5, 0.93}) {
    CAPTURE(share);
    cut(path + ".whole", path, share);
    const Result rest = world().run(command);
    CHECK(rest.status == done);
    CHECK(rest.out == whole.out);
    auto resumed = sorted_lines(path);
    // The cut line stays; it is not one of the others.
    std::erase_if(resumed, [](const std::string& line) { return !line.ends_with("}}"); });
    CHECK(resumed == lines);
  }
  const Result again = world().run(command);
  CHECK(again.out == whole.out);
  // That a cell did not converge is said again by every run that shows it.
  std::string told = text_of(path), loud = command;
  const std::string flag = "\"converged\":1.0", quiet = " --quiet";
  REQUIRE(told.find(flag) != std::string::npos);
  told.replace(told.find(flag), flag.size(), "\"converged\":0.0");
  loud.erase(loud.find(quiet), quiet.size());
  CHECK(world().run(loud).err.find("iteration limit") == std::string::npos);
  testing::write_text(path, told);
  CHECK(world().run(loud).err.find("in 1 cells") != std::string::npos);
}

}  // namespace

TEST_CASE("cli: svm-grid finds the best cell, draws it, and goes on where it stopped") {
  write_classes(world().folder / "grid.txt");
  const std::string command =
      "svm-grid -log2c -2,4,2 -log2g 1,-3,-2 -v 4 grid.txt --out grid.jsonl --picture grid.svg "
      "--format json --quiet";
  check_resume(command, "grid.jsonl");
  const json best = world().run(command).object();
  double highest = 0;
  for (const std::string& line : sorted_lines(world().folder / "grid.jsonl"))
    if (line.ends_with("}}"))
      highest = std::max(highest, json::parse(line)["result"]["accuracy"].get<double>());
  CHECK(best.at("accuracy") == highest);
  // The same cell by svm-train's own cross-validation.
  const json alone = world()
                         .run(str_cat("svm-train -v 4 -c ", best.at("C").get<double>(), " -g ",
                                      best.at("gamma").get<double>(), " grid.txt --format json"))
                         .object();
  CHECK(alone.at("cross_validation_accuracy").get<double>() ==
        doctest::Approx(highest).epsilon(0.03));
  const std::string picture = text_of(world().folder / "grid.svg");
  CHECK(picture.starts_with("<svg "));
  CHECK(picture.find("log2 gamma") != std::string::npos);
  // Cells of other data are not believed.
  const std::string other = text_of(world().folder / "grid.txt") + "1 1:5 2:5\n";
  testing::write_text(world().folder / "grid.txt", other);
  const std::string loud = command.substr(0, command.find(" --quiet"));
  const Result fresh = world().run(loud);
  CHECK(fresh.status == done);
  CHECK(fresh.err.find("cells are in") == std::string::npos);
  CHECK(world().run(loud).err.find("cells are in grid.jsonl") != std::string::npos);
}

TEST_CASE("cli: svm-grid refuses what makes no grid") {
  write_classes(world().folder / "grid2.txt");
  for (const std::string bad : {"-log2c 1,2", "-log2c 1,2,0", "-log2c 5,1,1", "-log2g a,b,c"})
    check_failure(world().run("svm-grid " + bad + " grid2.txt"), failed, bad.substr(0, 6));
  check_failure(world().run("svm-grid nowhere.txt"), failed, "nowhere.txt");
  check_failure(world().run("svm-grid grid2.txt --out photos -v 2 -log2c 0,0,1 -log2g 0,0,1"),
                failed, "photos");
}

TEST_CASE("cli: svm-grid takes grid.py's flags, other kernels and regression") {
  write_classes(world().folder / "grid3.txt");
  const Result linear = world().run(
      "svm-grid -t 0 -log2c -1,1,2 -log2g null -v 4 -h 0 -out null -gnuplot null -svmtrain "
      "/usr/bin/svm-train -png g.png grid3.txt --quiet");
  CHECK(linear.status == done);
  double C = 0, accuracy = 0;
  REQUIRE(std::sscanf(linear.out.c_str(), "%lf %lf", &C, &accuracy) == 2);
  const json alone =
      world().run(str_cat("svm-train -t 0 -v 4 -c ", C, " grid3.txt --format json")).object();
  CHECK(100 * alone.at("cross_validation_accuracy").get<double>() ==
        doctest::Approx(accuracy).epsilon(1e-5));
  CHECK(fs::exists(world().folder / "g.svg"));
  CHECK_FALSE(fs::exists(world().folder / "g.png"));
  CHECK_FALSE(fs::exists(world().folder / "null"));
  const std::string command =
      "svm-grid -s 3 -log2c 0,4,4 -log2g -1,-1,1 -v 4 -resume r.out grid3.txt --format json";
  const json best = world().run(command).object();
  const json cell = world()
                        .run(str_cat("svm-train -s 3 -v 4 -c ", best.at("C").get<double>(),
                                     " -g 0.5 grid3.txt --format json"))
                        .object();
  CHECK(best.at("mean_squared_error") == cell.at("cross_validation_mean_squared_error"));
  CHECK(world().run(command).err.find("2 of 2 cells are in r.out") != std::string::npos);
}

TEST_CASE("cli: sweep scores alpha, beta and C on pictures held out, and goes on") {
  const std::string command =
      "sweep --data photos --diff1 resnet8 --diff1-weights run/weights/final.safetensors --diff2 "
      "none --supplement resnet8 --supplement-weights run/weights/final.safetensors --epochs 0 "
      "--alpha 0,0.5,1 --beta 0.25 --C 0.5,2,8 --out swept --resume --format json --quiet";
  check_resume(command, "swept/sweep.jsonl");
  const auto lines = world().run(command).objects();
  REQUIRE(lines.size() == 4 * (1 + 3) + 1);
  check_keys(lines[0], {"alpha", "classifier", "validation_accuracy", "test_accuracy"});
  CHECK(lines[0]["classifier"] == "dense");
  CHECK(lines[1]["C"] == 0.5);
  check_keys(lines.back(), {"best", "selection", "test_pictures", "pictures"});
  double highest = 0;
  for (const json& line : lines)
    if (line.value("classifier", "") == "svm")
      highest = std::max(highest, line["validation_accuracy"].get<double>());
  CHECK(lines.back()["best"]["validation_accuracy"] == highest);
  for (const std::string name : {"swept/alpha.svg", "swept/beta.svg"})
    CHECK(text_of(world().folder / name).starts_with("<svg "));
  // As a table, chosen as the paper did.
  const Result text = world().run(
      "sweep --data photos --diff1 resnet8 --diff1-weights run/weights/final.safetensors --diff2 "
      "none --epochs 0 --alpha 0,1 --C 1 --select test --out swept2");
  CHECK(text.status == done);
  CHECK(text.err.find("alpha 0.0 is left out") != std::string::npos);
  CHECK(text.out.find("chosen by the test pictures themselves") != std::string::npos);
  check_failure(world().run("sweep --data photos --alpha 2 --out swept3"), wrong_usage, "alpha");
}
