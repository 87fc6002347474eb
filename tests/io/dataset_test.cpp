#include "limbic/io/dataset.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "limbic/io/check.h"
#include "limbic/io/decode.h"
#include "tests/io/pictures.h"
#include "tests/text.h"

using namespace limbic;
using namespace limbic::io;
using namespace limbic::testing;

namespace {

Dataset made_up(const std::vector<int64_t>& counts) {
  Dataset out;
  for (size_t label = 0; label < counts.size(); ++label) {
    out.classes.push_back(str_cat("class", label));
    for (int64_t i = 0; i < counts[label]; ++i)
      out.samples.push_back({str_cat(label, "/", i), static_cast<int64_t>(label)});
  }
  return out;
}

}  // namespace

TEST_CASE("dataset: folders are classes, alphabetical, searched to the bottom") {
  const TemporaryFolder folder;
  for (const char* name :
       {"joy/b.PNG", "joy/a.jpeg", "joy/deep/er/c.Jpg", "anger/z.gif", "anger/y.bmp",
        "anger/notes.txt", "anger/.hidden.jpg", "anger/.cache/x.jpg", "top.jpg", ".git/x.jpg"})
    write_text(folder / name, "x");
  const Dataset dataset = list_folders(folder.path.string());
  CHECK(dataset.classes == std::vector<std::string>{"anger", "joy"});
  CHECK(dataset.samples == std::vector<Sample>{{folder / "anger/y.bmp", 0},
                                               {folder / "anger/z.gif", 0},
                                               {folder / "joy/a.jpeg", 1},
                                               {folder / "joy/b.PNG", 1},
                                               {folder / "joy/deep/er/c.Jpg", 1}});
  CHECK(dataset.class_counts() == std::vector<int64_t>{2, 3});

  const Dataset mapped = list_folders(folder.path.string(), {{"joy", "awe", "anger"}});
  CHECK(mapped.class_counts() == std::vector<int64_t>{3, 0, 2});
  const std::string message = error_of([&] {
    list_folders(folder.path.string(), {{"awe", "anger"}});
  });
  CHECK(contains(message, "unknown class joy"));
}

TEST_CASE("dataset: folders that are none") {
  const TemporaryFolder folder;
  const auto error = [](const std::string& dir) { return error_of([&] { list_folders(dir); }); };
  CHECK(contains(error(folder / "missing"), "no such folder"));
  CHECK(contains(error(folder.path.string()), "no class folders"));
  write_text(folder / "a.jpg", "x");
  CHECK(contains(error(folder.path.string()), "no class folders"));
  CHECK(contains(error(folder / "a.jpg"), "not a folder"));
  write_text(folder / "joy/a.jpg", "x");
  write_text(folder / "fear/readme.md", "x");
  std::filesystem::create_directories(folder / "awe");
  CHECK(contains(error(folder.path.string()), "in class awe, fear"));
}

TEST_CASE("dataset: links in a circle end") {
  const TemporaryFolder folder;
  write_text(folder / "joy/a.jpg", "x");
  std::filesystem::create_directory_symlink(folder.path, folder / "joy/again");
  const Dataset found = list_folders(folder.path.string());
  CHECK(found.size() == 1);
  CHECK(found.left_out == std::vector<SkippedSample>{
                              {folder / "joy/again", "a link to a folder, which is not followed"}});
}

TEST_CASE("dataset: what is left out is known, pictures are found under any name") {
  const TemporaryFolder folder;
  const auto png = encode_png(random_picture(2, 2, 1));
  for (const char* name : {"a/1.jfif", "a/2.webp", "a/3.heic", "b/plain", "b/photo.jpg?w=640"})
    write_bytes(folder / name, png);
  write_text(folder / "b/avif", std::string("\0\0\0\x20"
                                            "ftypavif",
                                            12));
  for (const char* name : {"b/notes.txt", "__MACOSX/b/1.jpg", "b/@eaDir/1.jpg"})
    write_text(folder / name, "x");
  write_bytes(folder / "loose", png);
  std::filesystem::create_symlink("nowhere", folder / "a/gone.jpg");
  std::filesystem::create_symlink("round", folder / "round");
  std::filesystem::create_symlink(folder.path / "a/1.jfif", folder / "a/4.jpg");
  const Dataset found = list_folders(folder.path.string());
  CHECK(found.classes == std::vector<std::string>{"a", "b"});
  CHECK(found.samples == std::vector<Sample>{{folder / "a/1.jfif", 0},
                                             {folder / "a/2.webp", 0},
                                             {folder / "a/3.heic", 0},
                                             {folder / "a/4.jpg", 0},
                                             {folder / "b/avif", 1},
                                             {folder / "b/photo.jpg?w=640", 1},
                                             {folder / "b/plain", 1}});
  CHECK(found.left_out == std::vector<SkippedSample>{
                              {folder / "a/gone.jpg", "a link that leads nowhere"},
                              {folder / "loose", "beside the class folders, and so of no class"},
                              {folder / "round", "a link that leads nowhere"}});
  CHECK(found.other_files ==
        std::vector<std::string>{folder / "__MACOSX", folder / "b/@eaDir", folder / "b/notes.txt"});
}

TEST_CASE("dataset: data sets within data sets are no classes") {
  const TemporaryFolder folder;
  for (const char* name :
       {"photos/awe/1.jpg", "photos/fear/1.jpg", "photos/more/awe/2.jpg", "photos/more/fear/2.jpg",
        "split/train/awe/1.jpg", "split/train/fear/1.jpg", "split/val/awe/2.jpg",
        "split/val/fear/2.jpg", "deep/awe/2019/fear.jpg", "deep/fear/2019/1.jpg",
        "latin/caf\xE9/1.jpg", "latin/bar/1.jpg"})
    write_text(folder / name, "x");
  const auto error = [&](const char* dir) { return error_of([&] { list_folders(folder / dir); }); };
  CHECK(
      contains(error("photos"), "photos/more: holds folders called as its neighbours (awe, fear)"));
  CHECK(contains(error("split"), "train, val are parts of a data set and no classes"));
  CHECK(error("split/train") == "");
  CHECK(error("deep") == "");
  CHECK(contains(error("latin"), "is not UTF-8"));
}

TEST_CASE("split: each class in proportion, seeded") {
  const Dataset dataset = made_up({100, 20, 7, 2, 1, 0});
  const Split a = split(dataset, 0.85, 3), b = split(dataset, 0.85, 3), c = split(dataset, 0.85, 4);
  CHECK(a.train.class_counts() == std::vector<int64_t>{85, 17, 6, 1, 1, 0});
  CHECK(a.held_out.class_counts() == std::vector<int64_t>{15, 3, 1, 1, 0, 0});
  CHECK(a.train.samples == b.train.samples);
  CHECK(a.held_out.samples == b.held_out.samples);
  CHECK(a.held_out.samples != c.held_out.samples);
  CHECK(a.held_out.classes == dataset.classes);
  std::set<std::string> paths;
  for (const Dataset* part : {&a.train, &a.held_out})
    for (const Sample& sample : part->samples) paths.insert(sample.path);
  CHECK(paths.size() == dataset.samples.size());
  CHECK(split(dataset, 1).held_out.size() == 0);
  for (const double bad : {0.0, -1.0, 1.5}) CHECK_THROWS_AS(split(dataset, bad), Error);
  CHECK_THROWS_AS(split(dataset, std::nan("")), Error);
}

TEST_CASE("split: one class more leaves the others' split alone") {
  Dataset two = made_up({30, 30});
  Dataset one = made_up({30});
  const Split a = split(two), b = split(one);
  for (const Sample& sample : b.held_out.samples)
    CHECK(std::find(a.held_out.samples.begin(), a.held_out.samples.end(), sample) !=
          a.held_out.samples.end());
}

TEST_CASE("shuffle_order: a permutation for each seed and epoch") {
  std::vector<int64_t> sorted = shuffle_order(1000, 1, 2);
  CHECK(sorted == shuffle_order(1000, 1, 2));
  CHECK(sorted != shuffle_order(1000, 1, 3));
  CHECK(sorted != shuffle_order(1000, 2, 2));
  std::sort(sorted.begin(), sorted.end());
  std::vector<int64_t> all(1000);
  std::iota(all.begin(), all.end(), 0);
  CHECK(sorted == all);
  CHECK(shuffle_order(0, 1, 1).empty());
}

TEST_CASE("png and base64") {
  for (const auto& [height, width] : {std::pair<int64_t, int64_t>{1, 1}, {3, 500}, {40, 7}}) {
    const Picture picture = random_picture(height, width, 6);
    CHECK(decode(encode_png(picture), "a.png") == picture);
  }
  CHECK_THROWS_AS(encode_png(Picture()), Error);
  const auto encoded = [](const std::string& text) {
    return base64(std::vector<uint8_t>(text.begin(), text.end()));
  };
  CHECK(encoded("") == "");  // the test vectors of RFC 4648
  CHECK(encoded("f") == "Zg==");
  CHECK(encoded("fo") == "Zm8=");
  CHECK(encoded("foo") == "Zm9v");
  CHECK(encoded("foobar") == "Zm9vYmFy");
  CHECK(encoded("\xFF\xFE\xFD") == "//79");
}

TEST_CASE("check_dataset: counts, reasons, duplicates") {
  const TemporaryFolder folder;
  write_png(folder / "joy/a.png", random_picture(5, 6, 1));
  write_png(folder / "joy/b.png", random_picture(5, 6, 2));
  write_png(folder / "fear/copy.png", random_picture(5, 6, 1));
  write_text(folder / "fear/page.jpg", "<html>moved</html>");
  write_text(folder / "fear/empty.jpg", "");
  write_text(folder / "fear/notes", "x");
  std::filesystem::create_directories(folder / "awe");
  int64_t done = 0;
  const DatasetCheck check =
      check_dataset(folder.path.string(), {.progress = [&](int64_t d, int64_t) { done = d; }});
  CHECK(check.classes == std::vector<std::string>{"awe", "fear", "joy"});
  CHECK(check.usable == std::vector<int64_t>{0, 1, 2});
  CHECK(check.empty_classes == std::vector<std::string>{"awe"});
  CHECK(check.other_files == std::vector<std::string>{folder / "fear/notes"});
  REQUIRE(check.unusable.size() == 2);
  CHECK(check.unusable[0] == SkippedSample{folder / "fear/empty.jpg", "the file is empty"});
  CHECK(contains(check.unusable[1].reason, "a web page"));
  CHECK(check.duplicates ==
        std::vector<std::vector<std::string>>{{folder / "fear/copy.png", folder / "joy/a.png"}});
  CHECK(done == 5);
}
