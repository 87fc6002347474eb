#include "limbic/demo/paintings_objects.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "limbic/core/error.h"

namespace limbic::demo {
namespace {

constexpr double pi = std::numbers::pi;

struct Disc {
  Point center;
  double radius_x = 0.1, radius_y = 0.1;
};

/// Paints in the object's own frame: x to the right and y down, both -1 to 1.
class Pen {
 public:
  Pen(Canvas& canvas, const ObjectPose& pose, const ObjectColors& colors, Random& random)
      : canvas_(canvas), pose_(pose), colors_(colors), random_(random) {
    hue_shift_ = random.normal() * 12;
    value_shift_ = random.normal() * 0.07;
  }

  /// A natural colour of the object, with this picture's variation and tint.
  Color color(double hue, double saturation, double value) const {
    return mix(hsv(hue + hue_shift_, saturation, value + value_shift_), colors_.tint,
               colors_.tint_share);
  }
  void fill(std::vector<Point> points, Color color) {
    place(points);
    canvas_.polygon(points, {.color = color});
  }
  void line(std::vector<Point> points, Color color, double width) {
    place(points);
    canvas_.stroke(points, {.color = color, .width = width * pose_.scale});
  }
  void disc(const Disc& disc, Color color) {
    fill(outline({.center = disc.center, .radius_x = disc.radius_x, .radius_y = disc.radius_y}),
         color);
  }
  /// A filled shape with an outline around it.
  void shape(const std::vector<Point>& points, Color inside, Color edge) {
    fill(points, inside);
    std::vector<Point> closed = points;
    closed.push_back(points.front());
    line(closed, edge, 0.09);
  }
  Random& random() { return random_; }

 private:
  void place(std::vector<Point>& points) const {
    const double c = std::cos(pose_.angle) * pose_.scale, s = std::sin(pose_.angle) * pose_.scale;
    for (Point& p : points) {
      const double x = p.x * (1 + pose_.deformation), y = p.y * (1 - pose_.deformation);
      p = {pose_.center.x + c * x - s * y, pose_.center.y + s * x + c * y};
    }
  }

  Canvas& canvas_;
  ObjectPose pose_;
  ObjectColors colors_;
  Random& random_;
  double hue_shift_ = 0, value_shift_ = 0;
};

Point polar(double radius, double angle) {
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

std::vector<Point> rounded(const std::vector<Point>& points) { return smooth_curve(points, 6); }

void draw_sun(Pen& pen) {
  const int64_t rays = 8 + pen.random().below(5);
  const double turn = pen.random().uniform(0, pi);
  for (int64_t i = 0; i < rays; ++i) {
    const double angle = turn + 2 * pi * static_cast<double>(i) / static_cast<double>(rays);
    pen.line({polar(0.68, angle), polar(1, angle)}, pen.color(38, 0.9, 0.95), 0.14);
  }
  pen.disc({.center = {0, 0}, .radius_x = 0.54, .radius_y = 0.54}, pen.color(36, 0.9, 0.92));
  pen.disc({.center = {0, 0}, .radius_x = 0.43, .radius_y = 0.43}, pen.color(50, 0.7, 1));
}

void draw_heart(Pen& pen) {
  std::vector<Point> points;
  for (int i = 0; i < 40; ++i) {
    const double t = 2 * pi * i / 40, sine = std::sin(t);
    const double y = 13 * std::cos(t) - 5 * std::cos(2 * t) - 2 * std::cos(3 * t) - std::cos(4 * t);
    points.push_back({sine * sine * sine, -y / 16 - 0.08});
  }
  pen.shape(points, pen.color(352, 0.8, 0.85), pen.color(345, 0.85, 0.5));
  pen.line(rounded({{-0.62, -0.2}, {-0.6, -0.45}, {-0.4, -0.58}}), pen.color(350, 0.25, 1), 0.12);
}

void draw_star(Pen& pen) {
  std::vector<Point> points;
  for (int i = 0; i < 10; ++i) points.push_back(polar(i % 2 ? 0.42 : 1, pi * i / 5 - pi / 2));
  pen.shape(points, pen.color(48, 0.75, 0.98), pen.color(32, 0.85, 0.65));
}

void draw_flower(Pen& pen) {
  pen.line(rounded({{0, 0}, {0.06, 0.5}, {-0.04, 1}}), pen.color(120, 0.6, 0.45), 0.13);
  pen.fill(rounded({{0, 0.8}, {0.3, 0.5}, {0.55, 0.5}, {0.35, 0.72}, {0, 0.8}}),
           pen.color(115, 0.6, 0.5));
  const int64_t petals = 5 + pen.random().below(3);
  constexpr std::array<double, 4> hues{330, 285, 0, 210};
  const double hue = hues[static_cast<size_t>(pen.random().below(4))];
  for (int64_t i = 0; i < petals; ++i) {
    const double angle = 2 * pi * static_cast<double>(i) / static_cast<double>(petals) - pi / 2;
    const Point at = polar(0.42, angle);
    std::vector<Point> petal = outline(
        {.center = {at.x, at.y - 0.28}, .radius_x = 0.32, .radius_y = 0.21, .angle = angle});
    pen.shape(petal, pen.color(hue, 0.45, 0.97), pen.color(hue, 0.7, 0.62));
  }
  pen.disc({.center = {0, -0.28}, .radius_x = 0.2, .radius_y = 0.2}, pen.color(46, 0.85, 0.98));
}

void draw_tree(Pen& pen) {
  const Color bark = pen.color(28, 0.6, 0.36);
  pen.fill({{-0.12, 0.1}, {0.12, 0.1}, {0.2, 1}, {-0.2, 1}}, bark);
  pen.line({{0, 0.45}, {0.36, 0.05}}, bark, 0.12);
  const Color dark = pen.color(125, 0.65, 0.4), light = pen.color(105, 0.6, 0.65);
  const std::array<Point, 5> crowns{
      {{-0.42, -0.1}, {0.42, -0.12}, {-0.25, -0.5}, {0.28, -0.52}, {0, -0.25}}};
  for (const Point& p : crowns) pen.disc({.center = p, .radius_x = 0.44, .radius_y = 0.42}, dark);
  for (const Point& p : crowns)
    pen.disc({.center = {p.x - 0.06, p.y - 0.08}, .radius_x = 0.26, .radius_y = 0.24}, light);
}

void draw_mountain(Pen& pen) {
  const Color snow = pen.color(210, 0.06, 0.98);
  const Color edge = pen.color(230, 0.4, 0.28);
  pen.shape({{0, 0.75}, {0.5, -0.3}, {1.05, 0.75}}, pen.color(222, 0.3, 0.6), edge);
  pen.fill({{0.5, -0.3}, {0.7, 0.12}, {0.52, 0.02}, {0.38, 0.14}, {0.33, 0.06}}, snow);
  const double peak = pen.random().uniform(-0.3, -0.1);
  pen.shape({{-1.05, 0.75}, {peak, -0.8}, {0.62, 0.75}}, pen.color(225, 0.36, 0.46), edge);
  pen.fill({{peak, -0.8},
            {peak + 0.26, -0.24},
            {peak + 0.08, -0.36},
            {peak - 0.08, -0.18},
            {peak - 0.3, -0.26}},
           snow);
}

void draw_lightning(Pen& pen) {
  const double lean = pen.random().uniform(-0.1, 0.1);
  pen.shape({{0.18 + lean, -1},
             {-0.5, 0.12},
             {-0.06, 0.12},
             {-0.3 - lean, 1},
             {0.52, -0.24},
             {0.08, -0.24},
             {0.6 + lean, -1}},
            pen.color(54, 0.7, 1), pen.color(35, 0.85, 0.5));
}

void draw_spider(Pen& pen) {
  const Color ink = pen.color(20, 0.35, 0.12);
  for (const double side : {-1.0, 1.0})
    for (int leg = 0; leg < 4; ++leg) {
      const double root = -0.24 + 0.13 * leg, knee = -0.72 + 0.36 * leg;
      const double foot = knee + (leg < 2 ? 0.35 : 0.42) + pen.random().uniform(-0.1, 0.1);
      pen.line({{side * 0.1, root}, {side * 0.55, knee}, {side * 0.95, foot - 0.12 * leg}}, ink,
               0.1);
    }
  pen.disc({.center = {0, 0.28}, .radius_x = 0.34, .radius_y = 0.42}, ink);
  pen.disc({.center = {0, -0.24}, .radius_x = 0.23, .radius_y = 0.23}, ink);
  for (const double side : {-0.09, 0.09})
    pen.disc({.center = {side, -0.32}, .radius_x = 0.06, .radius_y = 0.06}, pen.color(5, 0.8, 0.9));
}

void draw_snake(Pen& pen) {
  const double side = pen.random().below(2) ? 1 : -1;
  const std::vector<Point> body = rounded({{-0.9 * side, 0.8},
                                           {-0.3 * side, 0.92},
                                           {0.35 * side, 0.72},
                                           {0.5 * side, 0.35},
                                           {-0.1 * side, 0.12},
                                           {-0.5 * side, -0.15},
                                           {-0.3 * side, -0.52},
                                           {0.3 * side, -0.66}});
  const Color edge = pen.color(95, 0.7, 0.2), skin = pen.color(92, 0.65, 0.55);
  pen.line(rounded({{0.6 * side, -0.66}, {0.85 * side, -0.62}, {1.02 * side, -0.72}}),
           pen.color(0, 0.8, 0.75), 0.06);
  const Disc head{.center = {0.42 * side, -0.67}, .radius_x = 0.27, .radius_y = 0.2};
  pen.disc({.center = head.center, .radius_x = 0.33, .radius_y = 0.26}, edge);
  pen.line(body, edge, 0.36);
  pen.line(body, skin, 0.24);
  pen.disc(head, skin);
  for (size_t i = 3; i + 6 < body.size(); i += 5)
    pen.disc({.center = body[i], .radius_x = 0.08, .radius_y = 0.08}, pen.color(62, 0.7, 0.9));
  pen.disc({.center = {0.47 * side, -0.72}, .radius_x = 0.06, .radius_y = 0.06}, edge);
}

void draw_eye(Pen& pen) {
  std::vector<Point> lids;
  for (int i = 0; i <= 16; ++i) {
    const double x = -1 + i / 8.0;
    lids.push_back({x, -0.56 * std::cos(x * pi / 2)});
  }
  for (int i = 15; i > 0; --i) {
    const double x = -1 + i / 8.0;
    lids.push_back({x, 0.52 * std::cos(x * pi / 2)});
  }
  const double look = pen.random().uniform(-0.2, 0.2);
  pen.shape(lids, pen.color(45, 0.06, 0.97), pen.color(280, 0.4, 0.16));
  pen.disc({.center = {look, 0}, .radius_x = 0.42, .radius_y = 0.42}, pen.color(170, 0.6, 0.55));
  pen.disc({.center = {look, 0}, .radius_x = 0.22, .radius_y = 0.22}, pen.color(260, 0.4, 0.08));
  pen.disc({.center = {look - 0.12, -0.14}, .radius_x = 0.09, .radius_y = 0.09},
           pen.color(0, 0, 1));
}

void draw_rain_cloud(Pen& pen) {
  const Color drops = pen.color(208, 0.6, 0.88);
  for (int i = 0; i < 5; ++i) {
    const double x = -0.56 + 0.3 * i, y = (i % 2 ? 0.5 : 0.38) + pen.random().uniform(0, 0.08);
    pen.line({{x, y}, {x - 0.12, y + 0.38}}, drops, 0.11);
  }
  const std::array<Disc, 4> puffs{{{{-0.5, 0}, 0.36, 0.32},
                                   {{0.5, 0.02}, 0.38, 0.3},
                                   {{-0.12, -0.34}, 0.42, 0.4},
                                   {{0.3, -0.24}, 0.34, 0.33}}};
  const Color edge = pen.color(220, 0.3, 0.38), body = pen.color(218, 0.14, 0.72);
  const std::vector<Point> base{{-0.5, 0}, {0.5, 0.02}};
  for (const Disc& p : puffs)
    pen.disc({.center = p.center, .radius_x = p.radius_x + 0.08, .radius_y = p.radius_y + 0.08},
             edge);
  pen.line(base, edge, 0.74);
  for (const Disc& p : puffs) pen.disc(p, body);
  pen.line(base, body, 0.58);
}

void draw_balloon(Pen& pen) {
  constexpr std::array<double, 5> hues{0, 45, 140, 210, 300};
  const double hue = hues[static_cast<size_t>(pen.random().below(5))];
  const double sway = pen.random().uniform(-0.25, 0.25);
  pen.line(rounded({{0, 0.38}, {sway, 0.6}, {-sway, 0.82}, {0, 1.05}}), pen.color(30, 0.2, 0.35),
           0.07);
  const Color skin = pen.color(hue, 0.7, 0.92), edge = pen.color(hue, 0.8, 0.55);
  pen.fill({{0, 0.3}, {0.14, 0.48}, {-0.14, 0.48}}, edge);
  pen.shape(outline({.center = {0, -0.28}, .radius_x = 0.56, .radius_y = 0.66}), skin, edge);
  pen.line(rounded({{-0.3, -0.35}, {-0.24, -0.58}, {-0.1, -0.7}}), pen.color(hue, 0.15, 1), 0.12);
}

struct Kind {
  const char* name;
  void (*draw)(Pen&);
  bool tilts;  ///< It may be turned by any small angle and still be itself.
};

constexpr std::array<Kind, 12> kinds{{{"balloon", draw_balloon, true},
                                      {"eye", draw_eye, true},
                                      {"flower", draw_flower, true},
                                      {"heart", draw_heart, true},
                                      {"lightning", draw_lightning, true},
                                      {"mountain", draw_mountain, false},
                                      {"rain_cloud", draw_rain_cloud, false},
                                      {"snake", draw_snake, true},
                                      {"spider", draw_spider, true},
                                      {"star", draw_star, true},
                                      {"sun", draw_sun, true},
                                      {"tree", draw_tree, false}}};

}  // namespace

const std::vector<std::string>& object_kinds() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> out;
    for (const Kind& kind : kinds) out.emplace_back(kind.name);
    return out;
  }();
  return names;
}

void draw_object(Canvas& canvas, int64_t kind, const ObjectPose& pose, const ObjectColors& colors,
                 Random& random) {
  require(kind >= 0 && kind < static_cast<int64_t>(kinds.size()), "object: expected a kind of 0-",
          kinds.size() - 1, ", got ", kind);
  const Color behind = canvas.color_around(pose.center);
  const bool dark = luma(behind) < 0.4;
  const Color glow = mix(behind, dark ? Color{1, 0.97, 0.9} : Color{1, 1, 1}, dark ? 0.35 : 0.3);
  for (int ring = 0; ring < 4; ++ring) {
    const double radius = pose.scale * (1.2 - 0.12 * ring);
    canvas.ellipse({.center = pose.center, .radius_x = radius, .radius_y = radius},
                   {.color = glow, .opacity = 0.2});
  }
  const Kind& drawn = kinds[static_cast<size_t>(kind)];
  ObjectPose upright = pose;
  if (!drawn.tilts) upright.angle *= 0.25;
  Pen pen(canvas, upright, colors, random);
  drawn.draw(pen);
}

}  // namespace limbic::demo
