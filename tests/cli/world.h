#pragma once
// Runs the built program as a user does: arguments in, exit status, standard output and standard
// error out.
#include <doctest/doctest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

#include "limbic/hash/hash.h"
#include "limbic/weights/safetensors.h"
#include "tests/io/pictures.h"
#include "tests/text.h"

namespace limbic::testing {

using nlohmann::json;
namespace fs = std::filesystem;

enum Status { done, failed, wrong_usage, some_skipped };

struct Result {
  int status = -1;  // 128 + the signal where it crashed
  std::string out, err;

  std::vector<json> objects() const {
    std::vector<json> all;
    std::istringstream lines(out);
    for (std::string line; std::getline(lines, line);) all.push_back(json::parse(line));
    return all;
  }
  json object() const {
    const auto all = objects();
    REQUIRE(all.size() == 1);
    return all[0];
  }
};

inline bool is_one_line(const std::string& text) {
  return text.size() > 1 && text.find('\n') == text.size() - 1;
}

// A small labelled set, weights and a model, made once by the program itself.
struct World {
  TemporaryFolder folder;
  std::string photos, val, weights, model, features;

  // Runs `limbic ARGUMENTS` (shell syntax) in the folder; `before` is shell that goes before it.
  Result run(const std::string& arguments, const std::string& redirect = "",
             const std::string& before = "") const {
    const std::string out = folder / "stdout", err = folder / "stderr";
    const std::string command = "cd '" + folder.path.string() + "' && " + before +
                                " '" LIMBIC_PROGRAM "' " + arguments + " > " +
                                (redirect.empty() ? "stdout" : redirect) + " 2> stderr" +
                                (arguments.find('<') == arguments.npos ? " < /dev/null" : "");
    testing::write_text(out, "");
    const int status = std::system(command.c_str());
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return {code, text_of(out), text_of(err)};
  }

  // Files that a write left half-done.
  std::vector<std::string> leftovers() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(folder.path))
      if (entry.path().filename().string().find(".tmp.") != std::string::npos)
        found.push_back(entry.path());
    return found;
  }

  World() {
    const std::vector<std::string> classes = {"awe", "fear", "joy"};
    for (size_t c = 0; c < 3; ++c)
      for (uint64_t i = 0; i < 8; ++i) {
        io::Picture p = testing::random_picture(16, 16, 10 * c + i);
        for (size_t at = 0; at < p.pixels.size(); ++at)
          p.pixels[at] = static_cast<uint8_t>(p.pixels[at] / 2 + (at % 3 == c ? 120 : 0));
        testing::write_png(folder / str_cat(i < 6 ? "photos/" : "val/", classes[c], "/", i, ".png"),
                           p);
      }
    photos = folder / "photos";
    val = folder / "val";
    const Result trained = run(
        "train --data photos --val val --model resnet8 --image-size 16 --epochs 2 --batch-size 6 "
        "--lr 0.05 --out run --format json --quiet");
    CAPTURE(trained.err);
    REQUIRE(trained.status == done);
    weights = folder / "run/weights/final.safetensors";
    const Result fitted = run(
        "fit --data photos --diff1 resnet8 --diff1-weights run/weights/final.safetensors --diff2 "
        "none --epochs 0 --out model --quiet");
    CAPTURE(fitted.err);
    REQUIRE(fitted.status == done);
    model = folder / "model";
  }
};

inline World& world() {
  static World one;
  return one;
}

// Failed in one line, and left nothing half-written.
inline void check_failure(const Result& r, int status, const std::string& mentions) {
  CAPTURE(r.err);
  CAPTURE(r.out);
  CHECK(r.status == status);
  CHECK(is_one_line(r.err));
  CHECK(r.err.starts_with("limbic: "));
  CHECK(r.err.find(mentions) != std::string::npos);
  CHECK(world().leftovers().empty());
}

inline void check_keys(const json& object, const std::vector<std::string>& keys) {
  for (const std::string& key : keys) {
    CAPTURE(key);
    CHECK(object.contains(key));
  }
}

inline const std::string network = "--model resnet8 --weights run/weights/final.safetensors ";

}  // namespace limbic::testing
