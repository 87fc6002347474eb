// The corpus of every fuzz target, and changes of it that a seed draws: LIMBIC_MUTATIONS says how
// many each (60). scripts/fuzz.sh looks for hours what this looks at for seconds.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "limbic/core/error.h"
#include "limbic/core/parallel.h"
#include "limbic/core/random.h"
#include "limbic/weights/keras/keras.h"
#include "tests/fuzz/target.h"
#include "tests/memory_limit.h"
#include "tests/weights/keras_goldens.h"
#include "tests/weights/mutations.h"

using namespace limbic;
using namespace limbic::fuzz;
namespace fs = std::filesystem;

namespace {

std::vector<Bytes> corpus_of(const Target& target) {
  std::vector<Bytes> out = target.seeds();
  std::vector<std::string> paths;
  std::error_code none;
  for (const auto& entry :
       fs::directory_iterator(LIMBIC_SOURCE_DIR "/tests/fuzz/corpus/" + target.name, none))
    paths.push_back(entry.path().string());
  std::ranges::sort(paths);
  for (const std::string& path : paths) out.push_back(read_file(path));
  return out;
}

std::string limited_fault(const Target& target, const Bytes& bytes) {
  const MemoryLimit limit(2 * bytes.size() + (static_cast<uint64_t>(target.megabytes) << 20));
  return fault(target, bytes);
}

}  // namespace

TEST_CASE("fuzz: every reader takes its corpus, and changes of it, or says in a line why not") {
  const WithKeras keras;
  const int64_t count = mutation_count(60);
  const char* only = std::getenv("LIMBIC_FUZZ_TARGET");
  for (const Target& target : targets()) {
    if (only && target.name != only) continue;
    CAPTURE(target.name);
    const std::vector<Bytes> corpus = corpus_of(target);
    REQUIRE(!corpus.empty());
    const std::string first = fault(target, corpus[0]);  // what it keeps, it allocates now
    CHECK(first == "");
    for (const Bytes& bytes : corpus) {
      const std::string wrong = limited_fault(target, bytes);
      CHECK(wrong == "");
    }
    for (int64_t round = 0; round < count; ++round) {
      CAPTURE(round);
      Bytes bytes = corpus[static_cast<size_t>(round) % corpus.size()];
      for (int64_t i = round % 3; i >= 0; --i)
        mutate(bytes, combine(hash_name(target.name.c_str()), static_cast<uint64_t>(3 * round + i)),
               1 << 18);
      const std::string wrong = limited_fault(target, bytes);
      CHECK(wrong == "");
    }
  }
}

TEST_CASE("fuzz: what nests a million deep overflows no stack") {
  std::string list = R"({"x":)", object = list, layers = R"({"class_name":"M","config":)";
  for (int i = 0; i < 1'000'000; ++i) list += '[', object += R"({"x":)";
  const std::string tail = R"(,"limbic_model":2,"sha256":""})";
  for (const char* name : {"preset", "config", "index", "keras_config", "keras_layers", "metadata",
                           "model_json", "cells", "safetensors"}) {
    CAPTURE(name);
    for (const std::string& start : {list, object, layers + list.substr(5)}) {
      const std::string open = start;
      std::string closed = open + "1";
      for (size_t i = open.size(); i-- > 0;)
        if (open[i] == '[' || open[i] == '{') closed += open[i] == '[' ? ']' : '}';
      closed.pop_back();
      for (const std::string& text : {open, closed + tail}) {
        const std::string wrong = fault(target(name), bytes_of(text));
        CHECK(wrong == "");
      }
    }
  }
}

TEST_CASE("fuzz: what a reader must not do is noticed") {
  const auto said = [](void (*read)(const Bytes&)) {
    return fault({"planted", [read](const Bytes& bytes) { read(bytes); }, {}}, {});
  };
  CHECK(said([](const Bytes&) {}) == "");
  CHECK(said([](const Bytes&) { fail("x: is damaged"); }) == "");
  CHECK(said([](const Bytes&) { throw std::bad_alloc(); }) == "memory");
  CHECK(said([](const Bytes&) { fail("x: a\nb"); }).starts_with("a message of several lines"));
  CHECK(said([](const Bytes&) { throw Error(std::string(3000, 'x')); }) ==
        "a message of 3000 bytes");
  CHECK(said([](const Bytes&) { throw std::out_of_range("map::at"); }) ==
        "another exception: map::at");
}
