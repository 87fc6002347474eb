#include "limbic/nn/cpu/tuner.h"

#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "tests/temporary.h"

using namespace limbic;

namespace {

struct Runs {
  int slow = 0, fast = 0;
  std::vector<Tuner::Candidate> candidates() {
    return {{"slow",
             [this] {
               ++slow;
               std::this_thread::sleep_for(std::chrono::milliseconds(3));
             }},
            {"fast", [this] { ++fast; }}};
  }
};

}  // namespace

TEST_CASE("tuner: the fastest is chosen, timed once, and remembered on disk") {
  const testing::TemporaryFolder folder;
  const std::string file = folder / "cache/tuning.json";
  {
    Tuner tuner(file);
    Runs runs;
    CHECK(tuner.choose("a", runs.candidates()) == 1);
    const int timed = runs.fast;
    CHECK(timed > 0);
    CHECK(tuner.choose("a", runs.candidates()) == 1);
    CHECK(runs.fast == timed);
    CHECK(tuner.timed() == 1);
  }
  {
    Tuner tuner(file);
    Runs runs;
    CHECK(tuner.choose("a", runs.candidates()) == 1);
    CHECK(runs.fast + runs.slow == 0);
    CHECK(tuner.choose("b", runs.candidates()) == 1);
    CHECK(tuner.timed() == 1);
  }
  // A remembered name that is no candidate any more is timed again.
  {
    Tuner tuner(file);
    int ran = 0;
    CHECK(tuner.choose("a", {{"other", [&] { ++ran; }}}) == 0);
    CHECK(ran > 0);
    // And what was found instead is remembered in its place, whatever the process comes to.
    tuner.save();
    ran = 0;
    Tuner next(file);
    CHECK(next.choose("a", {{"other", [&] { ++ran; }}}) == 0);
    CHECK(ran == 0);
    Runs runs;
    CHECK(next.choose("b", runs.candidates()) == 1);
    CHECK(next.timed() == 0);
  }
  for (const std::string damaged : {"", "{", "[1]", R"({"context":1})", "\xff\xfe"}) {
    std::ofstream(file, std::ios::trunc) << damaged;
    Tuner tuner(file);
    Runs runs;
    CHECK(tuner.choose("a", runs.candidates()) == 1);
    CHECK(tuner.timed() == 1);
  }
}

TEST_CASE("tuner: a place that cannot be written is no error") {
  Tuner nowhere(""), forbidden("/proc/limbic/tuning.json");
  Runs runs;
  CHECK(nowhere.choose("a", runs.candidates()) == 1);
  CHECK(forbidden.choose("a", runs.candidates()) == 1);
  forbidden.save();
}
