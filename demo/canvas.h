#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "limbic/core/random.h"
#include "limbic/io/picture.h"

namespace limbic::demo {

/// Red, green and blue in 0-1.
struct Color {
  float r = 0, g = 0, b = 0;
};

/// Hue in degrees (any number, it wraps), saturation and value clamped to 0-1.
Color hsv(double hue, double saturation, double value);
/// a at t = 0, b at t = 1.
Color mix(Color a, Color b, double t);
/// Rec. 601 luma, 0-1.
double luma(Color color);

/// A place on the canvas: (0, 0) is the top left corner, (1, 1) the bottom right one.
struct Point {
  double x = 0, y = 0;
};

struct Ellipse {
  Point center;
  double radius_x = 0.1, radius_y = 0.1;
  double angle = 0;  ///< Radians, clockwise on the screen.
};

/// What a shape is painted with.
struct Brush {
  Color color;
  double opacity = 1;
  double width = 0.02;  ///< Of strokes, as a part of the canvas.
};

/// Value noise thresholded into soft stains.
struct Blotches {
  int64_t cells = 6;      ///< Lattice cells along a side: more make smaller stains.
  double coverage = 0.5;  ///< About the part of the canvas that is covered, 0-1.
};

/// A point list that passes smoothly through `points` (Catmull-Rom, `steps` pieces each).
std::vector<Point> smooth_curve(std::span<const Point> points, int steps = 6);
/// The outline of an ellipse as a polygon.
std::vector<Point> outline(const Ellipse& ellipse);

/// A square RGB canvas that paints anti-aliased shapes at twice the size and averages 2 x 2 pixels
/// into the picture. Shapes may reach beyond its edges.
class Canvas {
 public:
  /// `size` is the side of the finished picture in pixels, 1-4096; throws Error otherwise.
  explicit Canvas(int64_t size);

  /// A linear gradient over all of it, along `angle` (radians).
  void gradient(Color from, Color to, double angle);
  /// Even-odd filling; fewer than three points paint nothing.
  void polygon(std::span<const Point> points, const Brush& brush);
  void ellipse(const Ellipse& shape, const Brush& brush);
  /// A line through `points` with round ends and joints; one point makes a dot.
  void stroke(std::span<const Point> points, const Brush& brush);
  void blotches(const Blotches& shape, const Brush& brush, Random& random);
  /// Adds uniform noise of +-amount to the brightness of each pixel of the finished picture.
  void grain(double amount, Random& random);

  /// The mean colour of what is painted within a square of side 0.2 around `at`.
  Color color_around(Point at) const;
  io::Picture picture() const;

 private:
  struct Box {
    int64_t left, top, right, bottom;  ///< The last two are excluded.
  };
  Box clip(double left, double top, double right, double bottom) const;
  void cover_span(int64_t y, double from, double to, float weight);
  void cover_segment(Point a, Point b, double radius);
  void paint_mask(const Box& box, const Brush& brush);

  int64_t side_;
  std::vector<Color> pixels_;
  std::vector<float> mask_;  ///< Coverage of the shape being painted; zero between shapes.
};

}  // namespace limbic::demo
