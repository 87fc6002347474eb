#include "limbic/demo/canvas.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "limbic/core/error.h"

namespace limbic::demo {
namespace {

constexpr int64_t supersampling = 2;
constexpr int64_t sub_rows = 2;  // scan lines for each row of the doubled canvas

double smoothstep(double low, double high, double x) {
  const double t = std::clamp((x - low) / (high - low), 0.0, 1.0);
  return t * t * (3 - 2 * t);
}

/// Smoothly interpolated random values at the corners of a lattice of cells x cells.
class ValueNoise {
 public:
  ValueNoise(int64_t cells, Random& random) : cells_(cells) {
    corners_.resize(static_cast<size_t>((cells + 1) * (cells + 1)));
    for (float& corner : corners_) corner = static_cast<float>(random.uniform());
  }
  /// x and y in [0, 1).
  double at(double x, double y) const {
    const double u = x * static_cast<double>(cells_), v = y * static_cast<double>(cells_);
    const auto column = static_cast<int64_t>(u), row = static_cast<int64_t>(v);
    const double s = smoothstep(0, 1, u - static_cast<double>(column));
    const double t = smoothstep(0, 1, v - static_cast<double>(row));
    const float* corner = corners_.data() + row * (cells_ + 1) + column;
    const double top = std::lerp(corner[0], corner[1], s);
    return std::lerp(top, std::lerp(corner[cells_ + 1], corner[cells_ + 2], s), t);
  }

 private:
  int64_t cells_;
  std::vector<float> corners_;
};

uint8_t to_byte(float value) {
  return static_cast<uint8_t>(std::lround(std::clamp(value, 0.0f, 1.0f) * 255));
}

}  // namespace

Color hsv(double hue, double saturation, double value) {
  saturation = std::clamp(saturation, 0.0, 1.0);
  value = std::clamp(value, 0.0, 1.0);
  const auto channel = [&](double shift) {
    double k = std::fmod(shift + hue / 60, 6);
    if (k < 0) k += 6;
    const double part = std::clamp(std::min(k, 4 - k), 0.0, 1.0);
    return static_cast<float>(value - value * saturation * part);
  };
  return {channel(5), channel(3), channel(1)};
}

Color mix(Color a, Color b, double t) {
  const auto w = static_cast<float>(std::clamp(t, 0.0, 1.0));
  return {a.r + (b.r - a.r) * w, a.g + (b.g - a.g) * w, a.b + (b.b - a.b) * w};
}

double luma(Color color) { return 0.299 * color.r + 0.587 * color.g + 0.114 * color.b; }

std::vector<Point> smooth_curve(std::span<const Point> points, int steps) {
  std::vector<Point> curve;
  const auto n = static_cast<int64_t>(points.size());
  const auto at = [&](int64_t i) {
    return points[static_cast<size_t>(std::clamp<int64_t>(i, 0, n - 1))];
  };
  for (int64_t i = 0; i + 1 < n; ++i) {
    const Point a = at(i - 1), b = at(i), c = at(i + 1), d = at(i + 2);
    const auto spline = [](double p, double q, double r, double s, double t) {
      return q + 0.5 * t * (r - p + t * (2 * p - 5 * q + 4 * r - s + t * (3 * (q - r) + s - p)));
    };
    for (int step = 0; step < steps; ++step) {
      const double t = static_cast<double>(step) / steps;
      curve.push_back({spline(a.x, b.x, c.x, d.x, t), spline(a.y, b.y, c.y, d.y, t)});
    }
  }
  if (n > 0) curve.push_back(points.back());
  return curve;
}

std::vector<Point> outline(const Ellipse& ellipse) {
  constexpr int corners = 28;
  std::vector<Point> points;
  points.reserve(corners);
  const double c = std::cos(ellipse.angle), s = std::sin(ellipse.angle);
  for (int i = 0; i < corners; ++i) {
    const double turn = 2 * std::numbers::pi * i / corners;
    const double x = ellipse.radius_x * std::cos(turn), y = ellipse.radius_y * std::sin(turn);
    points.push_back({ellipse.center.x + c * x - s * y, ellipse.center.y + s * x + c * y});
  }
  return points;
}

Canvas::Canvas(int64_t size) : side_(size * supersampling) {
  require(size >= 1 && size <= 4096, "canvas: expected a size of 1-4096 pixels, got ", size);
  pixels_.resize(static_cast<size_t>(side_ * side_));
  mask_.resize(pixels_.size());
}

void Canvas::gradient(Color from, Color to, double angle) {
  const double c = std::cos(angle), s = std::sin(angle);
  const double reach = (std::abs(c) + std::abs(s)) / 2;
  for (int64_t y = 0; y < side_; ++y)
    for (int64_t x = 0; x < side_; ++x) {
      const double u = (static_cast<double>(x) + 0.5) / static_cast<double>(side_) - 0.5;
      const double v = (static_cast<double>(y) + 0.5) / static_cast<double>(side_) - 0.5;
      pixels_[static_cast<size_t>(y * side_ + x)] =
          mix(from, to, 0.5 + 0.5 * (u * c + v * s) / reach);
    }
}

Canvas::Box Canvas::clip(double left, double top, double right, double bottom) const {
  const auto limit = [&](double value) {
    return static_cast<int64_t>(std::clamp(value, 0.0, static_cast<double>(side_)));
  };
  return {limit(std::floor(left)), limit(std::floor(top)), limit(std::ceil(right)),
          limit(std::ceil(bottom))};
}

void Canvas::cover_span(int64_t y, double from, double to, float weight) {
  from = std::clamp(from, 0.0, static_cast<double>(side_));
  to = std::clamp(to, 0.0, static_cast<double>(side_));
  if (from >= to) return;
  float* row = mask_.data() + y * side_;
  const auto first = static_cast<int64_t>(from), last = static_cast<int64_t>(to);
  if (first == last) {
    row[first] += weight * static_cast<float>(to - from);
    return;
  }
  row[first] += weight * static_cast<float>(static_cast<double>(first + 1) - from);
  for (int64_t x = first + 1; x < last; ++x) row[x] += weight;
  if (last < side_) row[last] += weight * static_cast<float>(to - static_cast<double>(last));
}

void Canvas::polygon(std::span<const Point> points, const Brush& brush) {
  if (points.size() < 3) return;
  const auto scale = static_cast<double>(side_);
  double left = scale, top = scale, right = 0, bottom = 0;
  for (const Point& p : points) {
    left = std::min(left, p.x * scale), right = std::max(right, p.x * scale);
    top = std::min(top, p.y * scale), bottom = std::max(bottom, p.y * scale);
  }
  const Box box = clip(left, top, right, bottom);
  std::vector<double> crossings;
  for (int64_t sub = box.top * sub_rows; sub < box.bottom * sub_rows; ++sub) {
    const double y = (static_cast<double>(sub) + 0.5) / sub_rows;
    crossings.clear();
    for (size_t i = 0; i < points.size(); ++i) {
      const Point a = points[i], b = points[(i + 1) % points.size()];
      const double ay = a.y * scale, by = b.y * scale;
      if ((ay <= y) == (by <= y)) continue;
      crossings.push_back((a.x + (b.x - a.x) * (y - ay) / (by - ay)) * scale);
    }
    std::sort(crossings.begin(), crossings.end());
    for (size_t i = 0; i + 1 < crossings.size(); i += 2)
      cover_span(sub / sub_rows, crossings[i], crossings[i + 1], 1.0f / sub_rows);
  }
  paint_mask(box, brush);
}

void Canvas::ellipse(const Ellipse& shape, const Brush& brush) { polygon(outline(shape), brush); }

// The mask keeps the largest coverage, so that joints are not painted twice.
void Canvas::cover_segment(Point a, Point b, double radius) {
  const double reach = radius + 1;
  const Box box = clip(std::min(a.x, b.x) - reach, std::min(a.y, b.y) - reach,
                       std::max(a.x, b.x) + reach, std::max(a.y, b.y) + reach);
  const auto dx = static_cast<float>(b.x - a.x), dy = static_cast<float>(b.y - a.y);
  const float length = dx * dx + dy * dy, inverse = length > 0 ? 1 / length : 0;
  const auto edge = static_cast<float>(radius + 0.5);
  for (int64_t y = box.top; y < box.bottom; ++y) {
    float* row = mask_.data() + y * side_;
    const auto v = static_cast<float>(static_cast<double>(y) + 0.5 - a.y);
    for (int64_t x = box.left; x < box.right; ++x) {
      const auto u = static_cast<float>(static_cast<double>(x) + 0.5 - a.x);
      const float t = std::clamp((u * dx + v * dy) * inverse, 0.0f, 1.0f);
      const float du = u - t * dx, dv = v - t * dy;
      const float coverage = std::clamp(edge - std::sqrt(du * du + dv * dv), 0.0f, 1.0f);
      row[x] = std::max(row[x], coverage);
    }
  }
}

void Canvas::stroke(std::span<const Point> points, const Brush& brush) {
  if (points.empty()) return;
  const auto scale = static_cast<double>(side_);
  const double radius = std::max(0.5, brush.width * scale / 2);
  double left = scale, top = scale, right = 0, bottom = 0;
  for (size_t i = 0; i < points.size(); ++i) {
    const Point p = points[i], q = points[i + 1 < points.size() ? i + 1 : i];
    left = std::min(left, p.x * scale), right = std::max(right, p.x * scale);
    top = std::min(top, p.y * scale), bottom = std::max(bottom, p.y * scale);
    if (i + 1 < points.size() || points.size() == 1)
      cover_segment({p.x * scale, p.y * scale}, {q.x * scale, q.y * scale}, radius);
  }
  const double reach = radius + 1;
  paint_mask(clip(left - reach, top - reach, right + reach, bottom + reach), brush);
}

void Canvas::blotches(const Blotches& shape, const Brush& brush, Random& random) {
  require(shape.cells >= 1 && shape.cells <= 256, "blotches: expected 1-256 cells, got ",
          shape.cells);
  const ValueNoise coarse(shape.cells, random), fine(shape.cells * 2, random);
  const double threshold = 0.85 - 0.7 * std::clamp(shape.coverage, 0.0, 1.0);
  for (int64_t y = 0; y < side_; ++y)
    for (int64_t x = 0; x < side_; ++x) {
      const double u = static_cast<double>(x) / static_cast<double>(side_);
      const double v = static_cast<double>(y) / static_cast<double>(side_);
      const double value = 0.7 * coarse.at(u, v) + 0.3 * fine.at(u, v);
      mask_[static_cast<size_t>(y * side_ + x)] =
          static_cast<float>(smoothstep(threshold - 0.06, threshold + 0.06, value));
    }
  paint_mask({0, 0, side_, side_}, brush);
}

void Canvas::grain(double amount, Random& random) {
  for (int64_t y = 0; y < side_; y += supersampling)
    for (int64_t x = 0; x < side_; x += supersampling) {
      const auto shift = static_cast<float>(random.uniform(-amount, amount));
      for (int64_t i = 0; i < supersampling * supersampling; ++i) {
        Color& pixel =
            pixels_[static_cast<size_t>((y + i / supersampling) * side_ + x + i % supersampling)];
        pixel.r += shift, pixel.g += shift, pixel.b += shift;
      }
    }
}

void Canvas::paint_mask(const Box& box, const Brush& brush) {
  for (int64_t y = box.top; y < box.bottom; ++y)
    for (int64_t x = box.left; x < box.right; ++x) {
      const auto i = static_cast<size_t>(y * side_ + x);
      if (mask_[i] > 0) pixels_[i] = mix(pixels_[i], brush.color, mask_[i] * brush.opacity);
      mask_[i] = 0;
    }
}

Color Canvas::color_around(Point at) const {
  const auto scale = static_cast<double>(side_);
  const Box box =
      clip((at.x - 0.1) * scale, (at.y - 0.1) * scale, (at.x + 0.1) * scale, (at.y + 0.1) * scale);
  Color sum;
  float painted = 0;
  for (int64_t y = box.top; y < box.bottom; ++y)
    for (int64_t x = box.left; x < box.right; ++x, ++painted) {
      const Color& pixel = pixels_[static_cast<size_t>(y * side_ + x)];
      sum.r += pixel.r, sum.g += pixel.g, sum.b += pixel.b;
    }
  if (painted == 0) return {};
  return {sum.r / painted, sum.g / painted, sum.b / painted};
}

io::Picture Canvas::picture() const {
  const int64_t size = side_ / supersampling;
  io::Picture out(size, size);
  for (int64_t y = 0; y < size; ++y)
    for (int64_t x = 0; x < size; ++x) {
      Color sum;
      for (int64_t i = 0; i < supersampling * supersampling; ++i) {
        const int64_t row = y * supersampling + i / supersampling;
        const Color& pixel =
            pixels_[static_cast<size_t>(row * side_ + x * supersampling + i % supersampling)];
        sum.r += pixel.r, sum.g += pixel.g, sum.b += pixel.b;
      }
      constexpr float share = 1.0f / (supersampling * supersampling);
      uint8_t* target = out.row(y) + x * 3;
      target[0] = to_byte(sum.r * share);
      target[1] = to_byte(sum.g * share);
      target[2] = to_byte(sum.b * share);
    }
  return out;
}

}  // namespace limbic::demo
