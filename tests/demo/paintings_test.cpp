#include "limbic/demo/paintings.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "limbic/core/error.h"
#include "limbic/core/file.h"
#include "limbic/core/parallel.h"
#include "limbic/demo/canvas.h"
#include "limbic/io/decode.h"

using namespace limbic;
using namespace limbic::demo;
using namespace limbic::io;
namespace fs = std::filesystem;

namespace {

struct Folder {
  explicit Folder(const char* name)
      : path((fs::temp_directory_path() / str_cat("limbic_paint_", name, "_", getpid())).string()) {
    fs::remove_all(path);
  }
  ~Folder() { fs::remove_all(path); }
  std::string path;
};

/// Every file below a folder with its bytes.
std::map<std::string, std::vector<uint8_t>> contents(const std::string& folder) {
  std::map<std::string, std::vector<uint8_t>> out;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file())
      out[fs::relative(entry.path(), folder).string()] = read_file(entry.path().string());
  return out;
}

struct Look {
  double brightness = 0, saturation = 0;  ///< Mean value and saturation of HSV.
};

/// The mean look of some paintings of an emotion, with little noise.
Look look_of(const std::string& emotion) {
  Look look;
  constexpr int pictures = 40;
  for (int i = 0; i < pictures; ++i) {
    Random random(11, static_cast<uint64_t>(i));
    const Picture p = paint(emotion, {.size = 32, .noise = 0.1}, random).picture;
    for (size_t k = 0; k < p.pixels.size(); k += 3) {
      const auto [low, high] = std::minmax({p.pixels[k], p.pixels[k + 1], p.pixels[k + 2]});
      look.brightness += high / 255.0;
      look.saturation += high > 0 ? 1.0 - static_cast<double>(low) / high : 0;
    }
  }
  const double n = pictures * 32.0 * 32.0;
  return {look.brightness / n, look.saturation / n};
}

double mean_of(const Picture& picture) {
  double sum = 0;
  for (const uint8_t value : picture.pixels) sum += value;
  return sum / static_cast<double>(picture.pixels.size());
}

Canvas white_canvas(int64_t size) {
  Canvas canvas(size);
  canvas.gradient({1, 1, 1}, {1, 1, 1}, 0);
  return canvas;
}

}  // namespace

TEST_CASE("the canvas covers the area that geometry says") {
  const Brush black{.color = {0, 0, 0}, .width = 0.1};
  const auto covered = [](const Canvas& canvas) { return 1 - mean_of(canvas.picture()) / 255; };

  Canvas square = white_canvas(50);
  const std::vector<Point> corners{{0.2, 0.2}, {0.8, 0.2}, {0.8, 0.7}, {0.2, 0.7}};
  square.polygon(corners, black);
  CHECK(covered(square) == doctest::Approx(0.3).epsilon(0.001));

  Canvas disc = white_canvas(50);
  disc.ellipse({.center = {0.5, 0.5}, .radius_x = 0.4, .radius_y = 0.2, .angle = 0.7}, black);
  CHECK(covered(disc) == doctest::Approx(3.14159 * 0.08).epsilon(0.003));

  Canvas line = white_canvas(50);
  const std::vector<Point> ends{{0.2, 0.3}, {0.5, 0.7}, {0.8, 0.3}};
  line.stroke(ends, black);
  // Two legs of 0.5 by 0.1 and two round half ends; at the joint, which turns by 1.8546, a sector
  // comes in and the kite in which the legs overlap goes out.
  const double joint = 0.0025 * (1.8546 / 2 - 4.0 / 3);
  CHECK(covered(line) == doctest::Approx(0.1 + 3.14159 * 0.0025 + joint).epsilon(0.0005));

  Canvas glaze = white_canvas(50);
  glaze.stroke(ends, {.color = {0, 0, 0}, .opacity = 0.5, .width = 0.1});
  CHECK(covered(glaze) == doctest::Approx(covered(line) / 2).epsilon(0.001));

  // A shape leaves no coverage behind for the next one.
  const double before = covered(square);
  square.stroke(std::vector<Point>{{0.2, 0.2}, {0.8, 0.7}}, {.color = {1, 1, 1}, .width = 0.02});
  CHECK(covered(square) == doctest::Approx(before - 0.781 * 0.02).epsilon(0.001));

  Canvas half = white_canvas(20);
  half.gradient({0, 0, 0}, {1, 1, 1}, 0);
  CHECK(mean_of(half.picture()) == doctest::Approx(127.5).epsilon(0.01));
  CHECK(half.picture().row(5)[0] < 10);
  CHECK(half.picture().row(5)[19 * 3] > 245);
}

TEST_CASE("shapes beyond the canvas, empty ones and the smallest canvas are harmless") {
  Canvas canvas = white_canvas(1);
  const std::vector<Point> far{{-5, -5}, {7, -3}, {3, 9}, {-1e9, 1e9}};
  canvas.polygon(far, {.color = {1, 0, 0}});
  canvas.stroke(far, {.color = {0, 1, 0}, .width = 3});
  canvas.polygon({}, {});
  canvas.stroke({}, {});
  canvas.ellipse({.center = {40, 40}}, {});
  CHECK(canvas.picture().pixels.size() == 3);
  CHECK(smooth_curve({}).empty());
  CHECK_THROWS_AS(Canvas(0), Error);
  CHECK_THROWS_AS(Canvas(5000), Error);
}

TEST_CASE("hues") {
  const auto is = [](Color c, double r, double g, double b) {
    CHECK(c.r == doctest::Approx(r));
    CHECK(c.g == doctest::Approx(g));
    CHECK(c.b == doctest::Approx(b));
  };
  is(hsv(0, 1, 1), 1, 0, 0);
  is(hsv(120, 1, 1), 0, 1, 0);
  is(hsv(240, 1, 0.5), 0, 0, 0.5);
  is(hsv(-300, 1, 1), 1, 1, 0);
  is(hsv(77, 0, 0.3), 0.3, 0.3, 0.3);
  is(hsv(720, 9, 9), 1, 0, 0);
}

TEST_CASE("all emotions and kinds of object are painted at the size asked for") {
  CHECK(painted_emotions().size() == 8);
  CHECK(painted_objects().size() == 12);
  CHECK(std::is_sorted(painted_objects().begin(), painted_objects().end()));
  for (const int64_t size : {8, 33, 64}) {
    std::vector<Picture> seen;
    for (const std::string& name : painted_emotions()) {
      Random random(1, 2);
      seen.push_back(paint(name, {.size = size}, random).picture);
    }
    for (const std::string& name : painted_objects()) {
      Random random(1, 3);
      seen.push_back(paint_object(name, {.size = size}, random));
    }
    for (size_t i = 0; i < seen.size(); ++i) {
      CHECK(seen[i].height == size);
      CHECK(seen[i].width == size);
      for (size_t k = 0; k < i; ++k) CHECK_FALSE(seen[i] == seen[k]);
    }
  }
}

TEST_CASE("the same random numbers paint the same picture, others another") {
  for (const std::string& name : painted_emotions()) {
    Random a(5, 6), b(5, 6), c(5, 7);
    const Painting first = paint(name, {}, a), again = paint(name, {}, b);
    CHECK(first.picture == again.picture);
    CHECK(first.object == again.object);
    CHECK_FALSE(first.picture == paint(name, {}, c).picture);
  }
}

TEST_CASE("the object carries part of the label, as object_share says") {
  const auto share = [](double asked) {
    int suiting = 0, all = 0;
    for (const std::string& name : painted_emotions()) {
      const std::vector<std::string> wanted = objects_that_suit(name);
      for (int i = 0; i < 150; ++i, ++all) {
        Random random(3, static_cast<uint64_t>(i));
        const std::string object = paint(name, {.size = 8, .object_share = asked}, random).object;
        suiting += std::find(wanted.begin(), wanted.end(), object) != wanted.end();
      }
    }
    return static_cast<double>(suiting) / all;
  };
  // Of the objects drawn from all 12 kinds, 2 suit as well.
  CHECK(share(0) == doctest::Approx(1.0 / 6).epsilon(0.03));
  CHECK(share(0.45) == doctest::Approx(0.45 + 0.55 / 6).epsilon(0.03));
  CHECK(share(1) == 1);
  for (const std::string& name : painted_emotions())
    for (const std::string& object : objects_that_suit(name))
      CHECK(std::count(painted_objects().begin(), painted_objects().end(), object) == 1);
}

TEST_CASE("brightness and saturation follow pleasure and arousal") {
  std::map<std::string, Look> looks;
  for (const std::string& name : painted_emotions()) looks[name] = look_of(name);
  // B = (0.60 P - 0.22 A) / 0.48 and S = (0.31 P + 0.69 A) / 0.48 of the emotions' P and A.
  CHECK(looks["contentment"].brightness > looks["anger"].brightness + 0.2);
  CHECK(looks["contentment"].brightness > looks["sadness"].brightness + 0.1);
  CHECK(looks["amusement"].brightness > looks["fear"].brightness + 0.2);
  CHECK(looks["awe"].brightness > looks["disgust"].brightness + 0.05);
  CHECK(looks["excitement"].saturation > looks["sadness"].saturation + 0.2);
  CHECK(looks["excitement"].saturation > looks["contentment"].saturation + 0.1);
  CHECK(looks["anger"].saturation > looks["sadness"].saturation + 0.1);
}

TEST_CASE("a set is the same whatever the threads are, and readable") {
  const int before = threads();
  const Folder one("one"), two("two"), other("other");
  const PaintSet set{.per_class = 3, .seed = 9, .paint = {.size = 24}};
  set_threads(1);
  paint_dataset(one.path + "/emotions", set);
  paint_object_dataset(one.path + "/objects", set);
  set_threads(2);
  paint_dataset(two.path + "/emotions", set);
  paint_object_dataset(two.path + "/objects", set);
  set_threads(before);
  const auto files = contents(one.path);
  CHECK(files.size() == 3 * (8 + 12));
  CHECK(files == contents(two.path));
  CHECK(files.count("emotions/anger/0002.png") == 1);
  CHECK(files.count("objects/rain_cloud/0000.png") == 1);

  paint_dataset(other.path + "/emotions", {.per_class = 3, .seed = 10, .paint = {.size = 24}});
  for (const auto& [name, bytes] : contents(other.path)) CHECK(bytes != files.at(name));

  Random random(9, combine(hash_name("fear"), 1));
  const Picture painted = paint("fear", set.paint, random).picture;
  CHECK(decode(files.at("emotions/fear/0001.png"), "fear") == painted);
}

TEST_CASE("what cannot be painted is refused") {
  Random random(1);
  CHECK_THROWS_AS(paint("joy", {}, random), Error);
  CHECK_THROWS_AS(paint_object("house", {}, random), Error);
  CHECK_THROWS_AS(paint("fear", {.size = 4}, random), Error);
  CHECK_THROWS_AS(paint("fear", {.noise = 1.5}, random), Error);
  CHECK_THROWS_AS(paint("fear", {.object_share = -0.1}, random), Error);
  const Folder folder("refused");
  CHECK_THROWS_AS(paint_dataset(folder.path, {.per_class = -1}), Error);
  write_atomically(folder.path, [](std::ostream& out) { out << "a file in the way"; });
  CHECK_THROWS_AS(paint_dataset(folder.path, {.per_class = 1}), Error);
}
