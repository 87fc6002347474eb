#include "limbic/demo/paintings.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <numbers>

#include "limbic/core/error.h"
#include "limbic/core/parallel.h"
#include "limbic/demo/canvas.h"
#include "limbic/demo/paintings_objects.h"
#include "limbic/io/png.h"

namespace limbic::demo {
namespace {

constexpr double pi = std::numbers::pi;

/// What makes a painting look as an emotion feels. Angles in degrees, 0 being horizontal.
struct Style {
  double pleasure = 0, arousal = 0;  ///< -1 to 1.
  std::array<double, 3> hues{};
  double line_angle = 0, line_spread = 0;
  double lines = 0;     ///< How many.
  double width = 0.03;  ///< Of a line, as a part of the canvas.
  double jagged = 0;    ///< 0-1: zigzag.
  double wave = 0;      ///< 0-1: swing.
  double dots = 0;      ///< How many dots and rings.
  double stains = 0;    ///< 0-1: strength of the blotches.
};

struct Emotion {
  const char* name;
  Style style;
  std::array<const char*, 2> objects;
};

// Pleasure and arousal after Russell and Mehrabian 1977; hues after the preferences of Valdez and
// Mehrabian (blue, green, purple pleasant; green-yellow least so) and common usage (anger is red).
const std::array<Emotion, 8> emotions{{{"amusement",
                                        {.pleasure = 0.65,
                                         .arousal = 0.3,
                                         .hues = {45, 320, 190},
                                         .line_angle = 20,
                                         .line_spread = 60,
                                         .lines = 4,
                                         .width = 0.035,
                                         .jagged = 0,
                                         .wave = 0.9,
                                         .dots = 14,
                                         .stains = 0},
                                        {"balloon", "star"}},
                                       {"anger",
                                        {.pleasure = -0.5,
                                         .arousal = 0.6,
                                         .hues = {0, 14, 348},
                                         .line_angle = 45,
                                         .line_spread = 14,
                                         .lines = 11,
                                         .width = 0.05,
                                         .jagged = 0.7,
                                         .wave = 0,
                                         .dots = 0,
                                         .stains = 0.25},
                                        {"lightning", "sun"}},
                                       {"awe",
                                        {.pleasure = 0.35,
                                         .arousal = 0.15,
                                         .hues = {250, 222, 282},
                                         .line_angle = 90,
                                         .line_spread = 5,
                                         .lines = 10,
                                         .width = 0.025,
                                         .jagged = 0,
                                         .wave = 0.05,
                                         .dots = 4,
                                         .stains = 0},
                                        {"mountain", "sun"}},
                                       {"contentment",
                                        {.pleasure = 0.7,
                                         .arousal = -0.45,
                                         .hues = {125, 95, 200},
                                         .line_angle = 0,
                                         .line_spread = 4,
                                         .lines = 7,
                                         .width = 0.05,
                                         .jagged = 0,
                                         .wave = 0.25,
                                         .dots = 1,
                                         .stains = 0},
                                        {"flower", "tree"}},
                                       {"disgust",
                                        {.pleasure = -0.6,
                                         .arousal = 0.25,
                                         .hues = {68, 52, 84},
                                         .line_angle = 10,
                                         .line_spread = 60,
                                         .lines = 3,
                                         .width = 0.03,
                                         .jagged = 0.1,
                                         .wave = 0.7,
                                         .dots = 5,
                                         .stains = 0.85},
                                        {"spider", "snake"}},
                                       {"excitement",
                                        {.pleasure = 0.6,
                                         .arousal = 0.75,
                                         .hues = {330, 22, 178},
                                         .line_angle = -50,
                                         .line_spread = 26,
                                         .lines = 11,
                                         .width = 0.035,
                                         .jagged = 0.4,
                                         .wave = 0.1,
                                         .dots = 7,
                                         .stains = 0},
                                        {"heart", "lightning"}},
                                       {"fear",
                                        {.pleasure = -0.65,
                                         .arousal = 0.6,
                                         .hues = {270, 232, 295},
                                         .line_angle = 62,
                                         .line_spread = 28,
                                         .lines = 13,
                                         .width = 0.018,
                                         .jagged = 0.8,
                                         .wave = 0,
                                         .dots = 1,
                                         .stains = 0.45},
                                        {"eye", "snake"}},
                                       {"sadness",
                                        {.pleasure = -0.6,
                                         .arousal = -0.4,
                                         .hues = {214, 226, 202},
                                         .line_angle = 100,
                                         .line_spread = 7,
                                         .lines = 8,
                                         .width = 0.016,
                                         .jagged = 0,
                                         .wave = 0.12,
                                         .dots = 0,
                                         .stains = 0.4},
                                        {"rain_cloud", "tree"}}}};

size_t emotion_index(const std::string& name) {
  for (size_t i = 0; i < emotions.size(); ++i)
    if (name == emotions[i].name) return i;
  fail("paint: unknown emotion '", name, "'");
}

int64_t object_index(const std::string& name) {
  const std::vector<std::string>& names = object_kinds();
  const auto found = std::find(names.begin(), names.end(), name);
  require(found != names.end(), "paint: unknown object '", name, "'");
  return found - names.begin();
}

void check(const PaintOptions& options) {
  require(options.size >= 8 && options.size <= 1024,
          "paint: expected a size of 8-1024 pixels, got ", options.size);
  require(options.noise >= 0 && options.noise <= 1, "paint: expected noise of 0-1, got ",
          options.noise);
  require(options.object_share >= 0 && options.object_share <= 1,
          "paint: expected an object share of 0-1, got ", options.object_share);
}

/// Another emotion, the likelier the nearer it lies in the plane of pleasure and arousal.
const Style& neighbour(size_t index, Random& random) {
  const Style& own = emotions[index].style;
  std::array<double, emotions.size()> weights{};
  double sum = 0;
  for (size_t i = 0; i < emotions.size(); ++i) {
    if (i == index) continue;
    const double p = emotions[i].style.pleasure - own.pleasure;
    const double a = emotions[i].style.arousal - own.arousal;
    sum += weights[i] = std::exp(-(p * p + a * a) / 0.5);
  }
  double left = random.uniform() * sum;
  for (size_t i = 0; i < emotions.size(); ++i) {
    left -= weights[i];
    if (left < 0 && i != index) return emotions[i].style;
  }
  return emotions[index == 0 ? 1 : 0].style;
}

/// Each hue comes from one or the other whole, as a painter picks tubes; all else is interpolated.
Style blend(const Style& a, const Style& b, double t, Random& random) {
  Style out;
  for (double Style::*field :
       {&Style::pleasure, &Style::arousal, &Style::line_spread, &Style::lines, &Style::width,
        &Style::jagged, &Style::wave, &Style::dots, &Style::stains})
    out.*field = std::lerp(a.*field, b.*field, t);
  for (size_t i = 0; i < out.hues.size(); ++i)
    out.hues[i] = random.uniform() < t ? b.hues[i] : a.hues[i];
  out.line_angle = random.uniform() < t ? b.line_angle : a.line_angle;
  return out;
}

Style style_of(size_t index, double noise, Random& random) {
  Style style = emotions[index].style;
  if (random.uniform() < noise) {
    const Style& near = neighbour(index, random);
    const double t = random.uniform(0.25, 0.35 + 0.5 * noise);
    style = blend(style, near, t, random);
  }
  style.pleasure += random.normal() * (0.08 + 0.3 * noise);
  style.arousal += random.normal() * (0.08 + 0.3 * noise);
  for (double& hue : style.hues) {
    hue += random.normal() * (8 + 22 * noise);
    if (random.uniform() < 0.3 * noise) hue = random.uniform(0, 360);
  }
  style.line_angle += random.normal() * (3 + 20 * noise);
  style.lines *= std::exp(random.normal() * (0.1 + 0.4 * noise));
  style.dots *= std::exp(random.normal() * (0.1 + 0.4 * noise));
  if (random.uniform() < 0.3 * noise) style.dots += static_cast<double>(random.below(9));
  style.stains += random.normal() * (0.05 + 0.25 * noise);
  return style;
}

Style any_style(Random& random) {
  Style style{.pleasure = random.uniform(-0.8, 0.8), .arousal = random.uniform(-0.6, 0.8)};
  for (double& hue : style.hues) hue = random.uniform(0, 360);
  style.line_angle = random.uniform(-90, 90);
  style.line_spread = random.uniform(3, 50);
  style.lines = random.uniform(2, 13);
  style.width = random.uniform(0.015, 0.05);
  style.jagged = std::max(0.0, random.uniform(-0.8, 0.8));
  style.wave = std::max(0.0, random.uniform(-0.8, 0.8));
  style.dots = std::max(0.0, random.uniform(-10, 12));
  style.stains = std::max(0.0, random.uniform(-0.8, 0.9));
  return style;
}

// The order of arguments is not a rule of the language: each draw from `random` stands alone in its
// statement, so that every compiler paints the same picture.

/// The colours that a style asks for.
class Palette {
 public:
  Palette(const Style& style, Random& random) : style_(style) {
    // The two equations solved for B and S; pleasure and arousal are taken as standard scores.
    constexpr double determinant = 0.69 * 0.60 + 0.22 * 0.31;
    const double b = (0.60 * style.pleasure - 0.22 * style.arousal) / determinant;
    const double s = (0.31 * style.pleasure + 0.69 * style.arousal) / determinant;
    brightness_ = std::clamp(0.58 + 0.26 * b, 0.14, 0.94);
    saturation_ = std::clamp(0.46 + 0.25 * s, 0.10, 0.92);
    main_hue_ = style.hues[static_cast<size_t>(random.below(3))];
  }
  Color ground(Random& random) const {
    const double hue = main_hue_ + random.normal() * 8;
    const double saturation = saturation_ + random.normal() * 0.05;
    return hsv(hue, saturation, brightness_ + random.normal() * 0.06);
  }
  /// A colour of the palette that stands out from the ground.
  Color accent(Random& random) const {
    double hue = style_.hues[static_cast<size_t>(random.below(3))];
    hue += random.normal() * 10;
    const double direction = random.uniform() < brightness_ ? -1 : 1;
    const double lift = direction * random.uniform(0.16, 0.38);
    return hsv(hue, saturation_ + random.uniform(-0.1, 0.2), brightness_ + lift);
  }

 private:
  const Style& style_;
  double brightness_ = 0, saturation_ = 0, main_hue_ = 0;
};

/// A line of the style's direction, zigzag and swing.
std::vector<Point> line_points(const Style& style, Random& random) {
  const double mirror = style.jagged > 0.3 && random.uniform() < 0.3 ? -1 : 1;
  const double angle = mirror * (style.line_angle + random.normal() * style.line_spread) * pi / 180;
  const Point center{random.uniform(0, 1), random.uniform(0, 1)};
  const double length = random.uniform(0.5, 1.3), c = std::cos(angle), s = std::sin(angle);
  const bool zigzag = random.uniform() < style.jagged;
  const int64_t pieces = zigzag ? 4 + random.below(4) : 8;
  const double phase = random.uniform(0, 2 * pi), turns = random.uniform(1.5, 3);
  std::vector<Point> points;
  for (int64_t i = 0; i <= pieces; ++i) {
    const double t = static_cast<double>(i) / static_cast<double>(pieces);
    const double along = (t - 0.5) * length;
    const double across = zigzag ? (i % 2 ? 1 : -1) * style.jagged * random.uniform(0.04, 0.1)
                                 : style.wave * 0.11 * std::sin(phase + turns * pi * t);
    points.push_back({center.x + c * along - s * across, center.y + s * along + c * across});
  }
  return zigzag ? points : smooth_curve(points, 3);
}

void draw_lines(Canvas& canvas, const Style& style, const Palette& palette, Random& random) {
  const auto lines = std::clamp<int64_t>(std::lround(style.lines), 0, 30);
  for (int64_t i = 0; i < lines; ++i) {
    const std::vector<Point> points = line_points(style, random);
    canvas.stroke(points, {.color = palette.accent(random),
                           .opacity = random.uniform(0.65, 1),
                           .width = style.width * random.uniform(0.6, 2)});
  }
}

void draw_dots(Canvas& canvas, const Style& style, const Palette& palette, Random& random) {
  const auto dots = std::clamp<int64_t>(std::lround(style.dots), 0, 30);
  for (int64_t i = 0; i < dots; ++i) {
    const double radius = random.uniform(0.02, 0.075);
    const Ellipse dot{.center = {random.uniform(0, 1), random.uniform(0, 1)},
                      .radius_x = radius,
                      .radius_y = radius};
    const Brush brush{.color = palette.accent(random), .opacity = 0.9, .width = 0.018};
    if (random.uniform() < 0.3) {
      std::vector<Point> ring = outline(dot);
      ring.push_back(ring.front());
      canvas.stroke(ring, brush);
    } else {
      canvas.ellipse(dot, brush);
    }
  }
}

io::Picture paint_style(const Style& style, int64_t kind, const PaintOptions& options,
                        Random& random) {
  const Palette palette(style, random);
  Canvas canvas(options.size);
  const Color first = palette.ground(random), second = palette.ground(random);
  canvas.gradient(first, second, (style.line_angle + 90) * pi / 180);
  const Blotches clouds{.cells = 3 + random.below(2), .coverage = 0.45};
  canvas.blotches(clouds, {.color = palette.ground(random), .opacity = 0.6}, random);
  for (int layer = 0; layer < 2 && style.stains > 0.05; ++layer) {
    const Blotches stains{.cells = 5 + random.below(5), .coverage = 0.3 + 0.15 * layer};
    const Brush brush{.color = palette.accent(random), .opacity = std::min(style.stains, 0.9)};
    canvas.blotches(stains, brush, random);
  }
  draw_lines(canvas, style, palette, random);
  draw_dots(canvas, style, palette, random);
  const ObjectPose pose{
      .center = {0.5 + random.uniform(-0.09, 0.09), 0.5 + random.uniform(-0.09, 0.09)},
      .scale = random.uniform(0.25, 0.34),
      .angle = random.normal() * 0.2,
      .deformation = random.uniform(-0.12, 0.12)};
  const ObjectColors colors{.tint = palette.accent(random),
                            .tint_share = random.uniform(0.05, 0.35)};
  draw_object(canvas, kind, pose, colors, random);
  Style veil = style;  // a few fine lines pass in front, so that the object lies in the picture
  veil.width *= 0.5;
  veil.lines = style.lines * 0.15;
  draw_lines(canvas, veil, palette, random);
  canvas.grain(0.02, random);
  return canvas.picture();
}

void write_png(const std::filesystem::path& path, const io::Picture& picture) {
  // Not write_atomically: thousands of pictures, each flushed to disk, would take minutes.
  const std::vector<uint8_t> bytes = io::encode_png(picture);
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(bytes.data()),
            static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (out.good()) return;
  std::error_code ignored;
  std::filesystem::remove(path, ignored);
  fail(path.string(), ": cannot write");
}

using Painter = std::function<io::Picture(const std::string& name, Random& random)>;

void write_set(const std::string& directory, const PaintSet& set,
               const std::vector<std::string>& names, const Painter& painter) {
  check(set.paint);
  require(set.per_class >= 0 && set.per_class <= 1000000,
          "paint: expected 0-1000000 pictures of a class, got ", set.per_class);
  const std::filesystem::path root(directory);
  for (const std::string& name : names) {
    std::error_code error;
    std::filesystem::create_directories(root / name, error);
    require(!error, (root / name).string(), ": cannot make the folder: ", error.message());
  }
  const auto classes = static_cast<int64_t>(names.size());
  parallel_for_dynamic(classes * set.per_class, [&](int64_t i) {
    const std::string& name = names[static_cast<size_t>(i % classes)];
    const int64_t number = i / classes;
    Random random(set.seed, combine(hash_name(name.c_str()), static_cast<uint64_t>(number)));
    char file[32];
    std::snprintf(file, sizeof file, "%04lld.png", static_cast<long long>(number));
    write_png(root / name / file, painter(name, random));
  });
}

}  // namespace

const std::vector<std::string>& painted_emotions() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> out;
    for (const Emotion& emotion : emotions) out.emplace_back(emotion.name);
    return out;
  }();
  return names;
}

const std::vector<std::string>& painted_objects() { return object_kinds(); }

std::vector<std::string> objects_that_suit(const std::string& emotion) {
  const auto& objects = emotions[emotion_index(emotion)].objects;
  return {objects.begin(), objects.end()};
}

Painting paint(const std::string& emotion, const PaintOptions& options, Random& random) {
  check(options);
  const size_t index = emotion_index(emotion);
  const auto& suiting = emotions[index].objects;
  const bool suits = random.uniform() < options.object_share;
  const int64_t kind = suits ? object_index(suiting[static_cast<size_t>(random.below(2))])
                             : random.below(static_cast<int64_t>(object_kinds().size()));
  const Style style = style_of(index, options.noise, random);
  return {paint_style(style, kind, options, random), object_kinds()[static_cast<size_t>(kind)]};
}

io::Picture paint_pair(const std::string& emotion, const std::string& kind,
                       const PaintOptions& options, Random& random) {
  check(options);
  const int64_t index = object_index(kind);
  const Style style = style_of(emotion_index(emotion), options.noise, random);
  return paint_style(style, index, options, random);
}

io::Picture paint_object(const std::string& kind, const PaintOptions& options, Random& random) {
  check(options);
  const int64_t index = object_index(kind);
  const Style style = any_style(random);
  return paint_style(style, index, options, random);
}

void paint_dataset(const std::string& directory, const PaintSet& set) {
  write_set(directory, set, painted_emotions(), [&](const std::string& name, Random& random) {
    return paint(name, set.paint, random).picture;
  });
}

void paint_object_dataset(const std::string& directory, const PaintSet& set) {
  write_set(directory, set, painted_objects(), [&](const std::string& name, Random& random) {
    return paint_object(name, set.paint, random);
  });
}

}  // namespace limbic::demo
