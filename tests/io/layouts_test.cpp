#include "limbic/io/layouts.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>

#include "limbic/io/check.h"
#include "limbic/io/resize.h"
#include "tests/io/pictures.h"
#include "tests/text.h"

using namespace limbic;
using namespace limbic::io;
using namespace limbic::testing;

namespace {

// Smooth at every scale, as photos are: noise of few cells, enlarged.
Picture soft_picture(uint64_t seed, int64_t side = 64) {
  return resize(random_picture(9, 9, seed), {.height = side, .width = side});
}

void write_soft(const std::string& path, uint64_t seed) { write_png(path, soft_picture(seed)); }

std::map<std::string, int64_t> counts(const Dataset& data) {
  std::map<std::string, int64_t> out;
  const auto all = data.class_counts();
  for (size_t c = 0; c < all.size(); ++c) out[data.classes[c]] = all[c];
  return out;
}

// Table 1 of the paper.
const std::map<std::string, int64_t> artphoto_counts = {
    {"amusement", 101}, {"anger", 77},       {"awe", 102},  {"contentment", 70},
    {"disgust", 70},    {"excitement", 105}, {"fear", 115}, {"sadness", 166}};
const std::map<std::string, int64_t> abstract_counts = {
    {"amusement", 33}, {"anger", 9},       {"awe", 28},  {"contentment", 72},
    {"disgust", 29},   {"excitement", 36}, {"fear", 41}, {"sadness", 32}};

}  // namespace

TEST_CASE("layouts: ArtPhoto, its counts those of Table 1") {
  const TemporaryFolder folder;
  const std::string images = folder / "testImages_artphoto/";
  for (const auto& [emotion, n] : artphoto_counts)
    for (int64_t i = 0; i < n; ++i) {
      char name[64];
      std::snprintf(name, sizeof name, "%s_%04d.jpg",
                    emotion == "sadness" ? "sad" : emotion.c_str(), static_cast<int>(i + 1));
      write_text(images + name, "x");
    }
  write_text(images + "cover.jpg", "x");
  write_text(images + "joy_0001.jpg", "x");
  write_text(images + "Thumbs.db", "x");
  CHECK(find_layout(folder.path.string()) == Layout::artphoto);
  CHECK(find_layout(folder / "testImages_artphoto") == Layout::artphoto);
  const PartedSet set = read_set(folder.path.string(), Layout::artphoto);
  CHECK(counts(set.train) == artphoto_counts);
  CHECK(set.train.size() == 806);
  CHECK(set.train.classes == eight_emotions());
  REQUIRE(set.train.left_out.size() == 2);
  CHECK(contains(set.train.left_out[0].path, "cover.jpg"));
  CHECK(contains(set.train.left_out[1].path, "joy_0001.jpg"));
}

namespace {

// 228 pictures with one winner, 52 with a tie; of those the first gives Table 1's counts.
void write_abstract(const TemporaryFolder& folder) {
  std::string table =
      "'','Amusement','Anger','Awe','Content','Disgust','Excitement','Fear','Sad'\r\n";
  const auto& names = eight_emotions();
  int64_t number = 0, ties = 0;
  for (size_t e = 0; e < names.size(); ++e)
    for (int64_t i = 0; i < abstract_counts.at(names[e]); ++i) {
      char file[64];
      std::snprintf(file, sizeof file, "abstract_%04d.jpg", static_cast<int>(++number));
      write_text(folder / "testImages_abstract/" + file, "x");
      table += std::string("'") + file + "'";
      const bool tie = e + 1 < names.size() && ties < 52 && i % 5 == 0;
      ties += tie;
      for (size_t v = 0; v < names.size(); ++v)
        table += v == e || (tie && v == names.size() - 1) ? ",7" : ",2";
      table += "\r\n";
    }
  write_text(folder / "ABSTRACT_groundTruth.csv", table);
  REQUIRE(number == 280);
}

}  // namespace

TEST_CASE("layouts: abstract paintings, votes and both rules for a tie") {
  const TemporaryFolder folder;
  write_abstract(folder);
  write_text(folder / "testImages_abstract/abstract_9999.jpg", "x");
  CHECK(find_layout(folder.path.string()) == Layout::abstract);
  const PartedSet first = read_set(folder.path.string(), Layout::abstract);
  CHECK(counts(first.train) == abstract_counts);
  REQUIRE(first.train.left_out.size() == 1);
  CHECK(contains(first.train.left_out[0].reason, "does not name it"));
  const PartedSet dropped = read_set(folder.path.string(), Layout::abstract, {.drop_ties = true});
  const auto ties = 280 - dropped.train.size();
  CHECK(ties > 20);
  CHECK(std::ssize(dropped.train.left_out) == ties + 1);
  REQUIRE(first.notes.size() == 1);
  CHECK(contains(first.notes[0], str_cat(ties, " of 280")));
}

TEST_CASE("layouts: what is wrong with a table of votes, with its line") {
  const TemporaryFolder folder;
  const std::string dir = folder.path.string(), table = folder / "ABSTRACT_groundTruth.csv";
  write_text(folder / "testImages_abstract/a.jpg", "x");
  const auto message = [&](const std::string& lines) {
    write_text(table, "'','Amusement','Anger'\n" + lines);
    return error_of([&] { read_set(dir, Layout::abstract); });
  };
  CHECK(message("'a.jpg',3,x\n") == table + ":2: expected a number of votes, got 'x'");
  CHECK(contains(message("'a.jpg',3,-1\n"), ":2: expected a number of votes"));
  CHECK(contains(message("'a.jpg',3,nan\n"), ":2: expected a number of votes"));
  CHECK(contains(message("'a.jpg',3\n"), ":2: expected a file name and 2 numbers"));
  CHECK(contains(message("'../a.jpg',3,1\n"), ":2: expected a file name"));
  CHECK(contains(message("'a.jpg',3,1\n'a.jpg',3,1\n"), ":3: 'a.jpg' stands here a second time"));
  CHECK(contains(message("'a.jpg',3,1\n'b.jpg',3,1\n'c.jpg',1,2\n"),
                 "names 2 pictures that are not there, the first: "));
  CHECK(contains(message(""), "no picture has most votes"));
  write_text(table, "'','Joyful'\n'a.jpg',1\n");
  CHECK(contains(error_of([&] { read_set(dir, Layout::abstract); }), ":1: expected a heading"));
}

TEST_CASE("layouts: EmotionROI as the paper counts it, and with its own six classes") {
  const TemporaryFolder folder;
  std::string training, testing;
  for (const char* name : {"anger", "disgust", "fear", "joy", "sadness", "surprise"})
    for (int i = 1; i <= 33; ++i) {
      const std::string file = str_cat(name, "/", i, ".jpg");
      write_text(folder / "images/" + file, "x");
      (i <= 23 ? training : testing) += file + "\n";
    }
  write_text(folder / "images/joy/99.jpg", "x");
  write_text(folder / "training_testing_split/training.txt", training);
  write_text(folder / "training_testing_split/testing.txt", testing);
  CHECK(find_layout(folder.path.string()) == Layout::emotionroi);
  const PartedSet paper = read_set(folder.path.string(), Layout::emotionroi);
  REQUIRE(paper.test);
  CHECK(paper.train.classes ==
        std::vector<std::string>{"anger", "awe", "disgust", "fear", "sadness"});
  CHECK(paper.test->classes == paper.train.classes);
  CHECK(paper.train.size() == 5 * 23);
  CHECK(paper.test->size() == 5 * 10);
  CHECK(paper.whole().class_counts() == std::vector<int64_t>(5, 33));
  REQUIRE(paper.train.left_out.size() == 1);
  const PartedSet own = read_set(folder.path.string(), Layout::emotionroi, {.roi_as_paper = false});
  CHECK(own.train.classes.size() == 6);
  CHECK(own.whole().size() == 6 * 33);

  const std::string list = folder / "training_testing_split/testing.txt";
  const auto message = [&](const std::string& text) {
    write_text(list, text);
    return error_of([&] { read_set(folder.path.string(), Layout::emotionroi); });
  };
  CHECK(contains(message("anger/1000.jpg\n"), list + ": names 1 picture that is not there: "));
  CHECK(contains(message("anger/1.jpg\n"), list + ":1: 'anger/1.jpg' stands in the split files"));
  CHECK(contains(message("../1.jpg\n"), ":1: expected CLASS/N.jpg"));
  CHECK(contains(message(""), "names no picture"));
}

TEST_CASE("layouts: FI in one folder or in parts, its names unified") {
  const TemporaryFolder folder;
  for (const char* part : {"train", "val", "test"})
    for (const char* name :
         {"Amusement", "anger", "awe", "Content", "disgust", "excitement", "fear", "sad"})
      write_text(folder / str_cat(part, "/", name, "/1.jpg"), "x");
  const PartedSet set = read_set(folder.path.string(), Layout::fi);
  CHECK(set.train.classes == eight_emotions());
  REQUIRE(set.validation);
  REQUIRE(set.test);
  CHECK(set.test->classes == eight_emotions());
  CHECK(set.whole().size() == 24);
  write_text(folder / "flat/joy/1.jpg", "x");
  write_text(folder / "flat/fear/1.jpg", "x");
  CHECK(
      contains(error_of([&] { read_set(folder / "flat", Layout::fi); }), "a class 'joy' is none"));
  std::filesystem::create_directories(folder / "empty/fear");
  write_text(folder / "empty/awe/1.jpg", "x");
  CHECK(contains(error_of([&] { read_set(folder / "empty", Layout::fi); }),
                 "no pictures in class fear"));
}

TEST_CASE("layouts: the wrong one is said in one line") {
  const TemporaryFolder folder;
  for (const char* name : {"joy/1.jpg", "awe/1.jpg"}) write_text(folder / name, "x");
  write_text(folder / "list.csv", "joy/1.jpg,joy\n");
  const std::string dir = folder.path.string();
  CHECK(find_layout(dir) == Layout::folders);
  CHECK(find_layout(folder / "list.csv") == Layout::csv);
  for (const std::string& name : layout_names()) {
    const std::string message = error_of([&] { read_set(folder / "absent", layout_of(name)); });
    CHECK(is_one_line_about(message, folder / "absent"));
  }
  for (const char* name : {"artphoto", "abstract", "emotionroi", "csv", "fi"}) {
    const std::string message = error_of([&] { read_set(dir, layout_of(name)); });
    CHECK_MESSAGE(is_one_line_about(message, dir), message);
    CHECK(contains(message, name));
  }
  CHECK(contains(error_of([&] { read_set(folder / "list.csv", Layout::folders); }),
                 "is a file, --layout folders expects a folder"));
  CHECK(
      contains(error_of([&] { layout_of("zip"); }), "unknown layout 'zip'; expected folders, csv"));
}

TEST_CASE("check: placeholders and near-duplicates among pictures") {
  const TemporaryFolder folder;
  uint64_t seed = 0;
  for (const char* name : {"awe", "fear"})
    for (int i = 0; i < 8; ++i) write_soft(folder / str_cat(name, "/", i, ".png"), ++seed);
  const Picture gone = soft_picture(1000);
  for (const char* name : {"awe/gone1.png", "awe/gone2.png", "fear/gone.png"})
    write_png(folder / name, gone);
  write_png(folder / "fear/blank.png", Picture(40, 40));
  write_text(folder / "fear/page.jpg", "<!DOCTYPE html>");
  // The same picture twice under one label is no placeholder.
  write_soft(folder / "awe/twice.png", 1);
  const DatasetCheck check = check_dataset(folder.path.string());
  std::vector<std::string> found;
  for (const auto& p : check.placeholders)
    found.push_back(std::filesystem::path(p.path).filename().string());
  CHECK(found == std::vector<std::string>{"gone1.png", "gone2.png", "blank.png", "gone.png"});
  REQUIRE(check.unusable.size() == 1);
  CHECK(contains(check.unusable[0].path, "page.jpg"));
  CHECK(check.duplicates.size() == 2);
}

TEST_CASE("near-duplicates: planted copies are found, others are not") {
  constexpr int n = 120;
  std::vector<std::optional<Look>> originals, copies;
  for (int i = 0; i < n; ++i) {
    const Picture picture = soft_picture(static_cast<uint64_t>(i) + 5000, 96);
    originals.emplace_back(look_of(picture));
    Picture copy = picture;
    switch (i % 4) {
      case 0:  // another size
        copy = resize(picture, {.height = 51, .width = 70});
        break;
      case 1:  // brighter, with grain
        for (size_t k = 0; k < copy.pixels.size(); ++k)
          copy.pixels[k] = static_cast<uint8_t>(
              std::clamp(copy.pixels[k] * 9 / 10 + 20 + static_cast<int>(k * 7919 % 9), 0, 255));
        break;
      case 2:  // mirrored
        flip_horizontally(copy);
        break;
      default:  // a little lost at the border
        copy = crop(picture, {.top = 1, .left = 2, .height = 93, .width = 92});
    }
    copies.emplace_back(look_of(copy));
  }
  const auto pairs = near_duplicates(originals, copies);
  int found = 0, others = 0;
  for (const auto& [i, j] : pairs) (i == j ? found : others) += 1;
  MESSAGE("near-duplicates: ", found, " of ", n, " planted, ", others, " others of ", n * (n - 1));
  CHECK(found >= n * 95 / 100);
  CHECK(others == 0);
  // A picture that could not be read, and one of a single colour, are like nothing.
  const std::vector<std::optional<Look>> nothing = {std::nullopt, look_of(Picture(8, 8))};
  CHECK(near_duplicates(nothing, nothing).empty());
}
