// What limbic_with_tiny says: a network of one's own behind the verbs.
#include <doctest/doctest.h>

#include <cstdio>

#include "limbic/train/trainer.h"
#include "tests/train/patterns.h"

using namespace limbic;

namespace {

struct Said {
  int status;
  std::string text;
};

Said run(const std::string& arguments) {
  FILE* pipe = ::popen((LIMBIC_WITH_TINY " " + arguments + " 2>&1").c_str(), "r");
  REQUIRE(pipe != nullptr);
  Said said{0, {}};
  char part[4096];
  while (const size_t n = std::fread(part, 1, sizeof part, pipe)) said.text.append(part, n);
  said.status = ::pclose(pipe);
  return said;
}

}  // namespace

TEST_CASE("a network of one's own: drawn, measured, trained, and asked about a photo") {
  const testing::Pictures pictures(8);
  const std::string folder = pictures.folder / "";
  const Said summary = run("summary tiny --svg " + folder + "tiny.svg");
  CHECK(summary.status == 0);
  CHECK(summary.text.find("layer3.shortcut") != std::string::npos);
  const Said training = run("train --data " + folder + "set --model tiny --epochs 2 --lr 0.05 " +
                            "--batch-size 6 --out " + folder + "run --quiet");
  CAPTURE(training.text);
  CHECK(training.status == 0);
  const Said answer = run("classify --model tiny --weights " + folder +
                          "run/weights/final.safetensors " + folder + "set/disc/0.png");
  CAPTURE(answer.text);
  CHECK(answer.status == 0);
  CHECK(answer.text.find("disc") != std::string::npos);
  CHECK(run("summary tinny").status != 0);
}
