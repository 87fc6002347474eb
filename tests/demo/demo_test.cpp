#include "limbic/demo/demo.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "limbic/core/error.h"
#include "limbic/core/file.h"
#include "tests/temporary.h"
#include "tests/text.h"

using namespace limbic;
using namespace limbic::demo;
using limbic::testing::TemporaryFolder;
using limbic::testing::text_of;
namespace fs = std::filesystem;

namespace {

// As small as a demo can be: 8 emotions of 4 and 3 pictures, 3 objects.
DemoOptions small_demo(const std::string& out) {
  DemoOptions o;
  o.out = out;
  o.train_per_class = 4, o.test_per_class = 3, o.objects_per_class = 3;
  o.epochs = 2;
  o.image_size = 24;
  o.command = "limbic demo --small";
  return o;
}

int64_t occurrences(const std::string& text, const std::string& part) {
  int64_t n = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

}  // namespace

TEST_CASE("demo: paints, trains, fuses, scores and shows all of it, again in the same folder") {
  const TemporaryFolder folder;
  const std::string out = folder / "demo";
  const DemoResult first = run_demo(small_demo(out));

  CHECK(first.test_pictures == 24);
  REQUIRE(first.accuracy.size() == 5);
  double best = 0;
  for (const char* part : {"diff1", "diff2", "supplement"}) {
    best = std::max(best, first.accuracy.at(part));
    CHECK(first.accuracy.at(part) >= 0);
    CHECK(first.accuracy.at(part) <= 1);
  }
  CHECK(first.best_single == best);
  CHECK(first.fusion == first.accuracy.at("fusion_svm"));
  CHECK(first.report == out + "/report.html");
  CHECK(fs::exists(out + "/model"));
  CHECK(fs::exists(out + "/supplement.safetensors"));
  for (const auto& [set, pictures] : {std::pair{"train", 32}, std::pair{"test", 24}}) {
    int64_t found = 0;
    for (const auto& entry : fs::recursive_directory_iterator(out + "/pictures/" + set))
      found += entry.is_regular_file();
    CHECK(found == pictures);
  }

  const std::string page = text_of(first.report);
  for (const char* shown :
       {"<span>--small</span>", "This run painted 32 pictures of 8 emotions", "24 fresh ones",
        "diff1 resnet14 alone, SVM", "diff2 densenet_small alone, SVM",
        "supplement resnet8 alone, SVM", "fusion, dense softmax layer", "fusion, SVM",
        "Accuracy over alpha", "Training", "Validation", "supplement (objects)"}) {
    CAPTURE(shown);
    CHECK(page.find(shown) != std::string::npos);
  }
  CHECK(occurrences(page, "data:image/png;base64,") == 24);  // of the fresh pictures, each once

  const DemoResult second = run_demo(small_demo(out));
  CHECK(second.accuracy == first.accuracy);
  CHECK(second.test_pictures == 24);
}

TEST_CASE("demo: a folder with something of somebody's is left alone") {
  const TemporaryFolder folder;
  const std::string theirs = folder / "letters.txt";
  write_atomically(theirs, [](std::ostream& out) { out << "dear\n"; });
  CHECK_THROWS_WITH_AS(run_demo(small_demo(folder / "")),
                       doctest::Contains("was not made by a demo; choose another --out"), Error);
  CHECK(text_of(theirs) == "dear\n");
}
