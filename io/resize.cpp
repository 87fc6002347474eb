#include "limbic/io/resize.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "limbic/core/error.h"
#include "limbic/core/simd.h"

// 32-bit multiplication of whole vectors came only with AVX2.
#define CLONES LIMBIC_CLONES("avx2", "default")

namespace limbic::io {
namespace {

constexpr int precision_bits = 32 - 8 - 2;

double triangle(double x) { return std::max(0.0, 1.0 - std::abs(x)); }

// Keys' cubic with a = -0.5.
double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

double sinc(double x) {
  if (x == 0) return 1;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

double weight(Filter filter, double x) {
  switch (filter) {
    case Filter::box:
      return x > -0.5 && x <= 0.5 ? 1 : 0;
    case Filter::bilinear:
      return triangle(x);
    case Filter::bicubic:
      return cubic(x);
    case Filter::lanczos:
      return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
    case Filter::nearest:
      break;
  }
  fail("resize: this filter has no weights");
}

double support_of(Filter filter) {
  switch (filter) {
    case Filter::box:
      return 0.5;
    case Filter::bilinear:
      return 1;
    case Filter::bicubic:
      return 2;
    case Filter::lanczos:
      return 3;
    case Filter::nearest:
      break;
  }
  fail("resize: this filter has no support");
}

// For each output index: where its inputs start, how many there are, and their weights.
struct Coefficients {
  std::vector<int64_t> first, taps;
  std::vector<int32_t> weights;  // most_taps for each output
  int64_t most_taps = 0;
};

struct Axis {
  int64_t src, dst;    // sizes
  int64_t begin, end;  // the outputs that are wanted
};

Coefficients make_coefficients(const Axis& axis, Filter filter) {
  const double scale = static_cast<double>(axis.src) / static_cast<double>(axis.dst);
  const double filter_scale = std::max(scale, 1.0);
  const double support = support_of(filter) * filter_scale;
  Coefficients out;
  out.most_taps = static_cast<int64_t>(std::ceil(support)) * 2 + 1;
  out.weights.assign(static_cast<size_t>(out.most_taps * (axis.end - axis.begin)), 0);
  std::vector<double> raw(static_cast<size_t>(out.most_taps));
  for (int64_t i = axis.begin; i < axis.end; ++i) {
    const double center = (static_cast<double>(i) + 0.5) * scale;
    const int64_t first = std::max<int64_t>(0, static_cast<int64_t>(center - support + 0.5));
    const int64_t last = std::min(axis.src, static_cast<int64_t>(center + support + 0.5));
    const int64_t taps = last - first;
    double sum = 0;
    for (int64_t t = 0; t < taps; ++t) {
      const double x = (static_cast<double>(t + first) - center + 0.5) * (1.0 / filter_scale);
      sum += raw[static_cast<size_t>(t)] = weight(filter, x);
    }
    int32_t* weights = out.weights.data() + (i - axis.begin) * out.most_taps;
    for (int64_t t = 0; t < taps; ++t) {
      const double w = raw[static_cast<size_t>(t)] / (sum != 0 ? sum : 1);
      weights[t] = static_cast<int32_t>(w * (1 << precision_bits) + (w < 0 ? -0.5 : 0.5));
    }
    out.first.push_back(first);
    out.taps.push_back(taps);
  }
  return out;
}

constexpr int32_t half = 1 << (precision_bits - 1);

inline uint8_t to_byte(int32_t sum) {
  return static_cast<uint8_t>(std::clamp(sum >> precision_bits, 0, 255));
}

// One row: dst (outputs,3) from src (inputs,3).
CLONES void resize_row(const uint8_t* src, uint8_t* dst, const Coefficients& table,
                       int64_t outputs) {
  const int64_t* first = table.first.data();
  const int64_t* taps = table.taps.data();
  for (int64_t i = 0; i < outputs; ++i) {
    const int32_t* weights = table.weights.data() + i * table.most_taps;
    const uint8_t* in = src + first[i] * 3;
    int32_t r = half, g = half, b = half;
    for (int64_t t = 0; t < taps[i]; ++t) {
      r += in[t * 3] * weights[t];
      g += in[t * 3 + 1] * weights[t];
      b += in[t * 3 + 2] * weights[t];
    }
    dst[i * 3] = to_byte(r);
    dst[i * 3 + 1] = to_byte(g);
    dst[i * 3 + 2] = to_byte(b);
  }
}

// One row of the vertical pass: dst (bytes) from `taps` rows of src, `pitch` apart.
CLONES void mix_rows(const uint8_t* src, int64_t pitch, uint8_t* dst, const int32_t* weights,
                     int64_t taps, int64_t bytes) {
  constexpr int64_t block = 64;
  for (int64_t begin = 0; begin < bytes; begin += block) {
    int32_t sums[block];
    const int64_t n = std::min(block, bytes - begin);
    std::fill_n(sums, block, half);
    for (int64_t t = 0; t < taps; ++t) {
      const uint8_t* in = src + t * pitch + begin;
      if (n == block) {
        for (int64_t i = 0; i < block; ++i) sums[i] += in[i] * weights[t];
      } else {
        for (int64_t i = 0; i < n; ++i) sums[i] += in[i] * weights[t];
      }
    }
    for (int64_t i = 0; i < n; ++i) dst[begin + i] = to_byte(sums[i]);
  }
}

// Pillow steps the coordinate by addition; so does this, for equal rounding.
std::vector<int64_t> nearest_inputs(const Axis& axis) {
  const double scale = static_cast<double>(axis.src) / static_cast<double>(axis.dst);
  std::vector<int64_t> inputs;
  double at = scale * 0.5;
  for (int64_t i = 0; i < axis.end; ++i, at += scale)
    if (i >= axis.begin) inputs.push_back(std::min(axis.src - 1, static_cast<int64_t>(at)));
  return inputs;
}

Picture resize_nearest(const Picture& src, const Region& source, const Axis& rows,
                       const Axis& columns) {
  const auto ys = nearest_inputs(rows), xs = nearest_inputs(columns);
  Picture dst(rows.end - rows.begin, columns.end - columns.begin);
  uint8_t* out = dst.pixels.data();
  for (const int64_t y : ys)
    for (const int64_t x : xs)
      out = std::copy_n(src.row(source.top + y) + (source.left + x) * 3, 3, out);
  return dst;
}

void check(const Region& inner, int64_t height, int64_t width, const char* what) {
  require(inner.height > 0 && inner.width > 0 && inner.top >= 0 && inner.left >= 0 &&
              inner.height <= height - inner.top && inner.width <= width - inner.left,
          "resize: ", what, " ", inner.width, "x", inner.height, " at (", inner.left, ",",
          inner.top, ") does not lie in ", width, "x", height);
}

struct Range {
  int64_t begin, end;
};

// The inputs that the wanted outputs of an axis are made of. A pass that would change nothing is
// left out, as in Pillow: its rounding could otherwise show.
Range inputs_of(const Axis& axis, Filter filter) {
  if (axis.src == axis.dst) return {axis.begin, axis.end};
  const Coefficients table = make_coefficients(axis, filter);
  return {table.first.front(), table.first.back() + table.taps.back()};
}

// Rows `rows` of src, across `columns`; src begins at column `left` of the axis.
Picture horizontal_pass(const Picture& src, const Axis& columns, Range rows, int64_t left,
                        Filter filter) {
  Picture dst(rows.end - rows.begin, columns.end - columns.begin);
  if (columns.src == columns.dst) {
    for (int64_t y = 0; y < dst.height; ++y)
      std::copy_n(src.row(rows.begin + y) + (columns.begin - left) * 3, dst.width * 3, dst.row(y));
    return dst;
  }
  Coefficients table = make_coefficients(columns, filter);
  for (int64_t& first : table.first) first -= left;
  for (int64_t y = 0; y < dst.height; ++y)
    resize_row(src.row(rows.begin + y), dst.row(y), table, dst.width);
  return dst;
}

// Columns `columns` of src, down `rows`; src begins at row `top` of the axis.
Picture vertical_pass(const Picture& src, const Axis& rows, Range columns, int64_t top,
                      Filter filter) {
  Picture dst(rows.end - rows.begin, columns.end - columns.begin);
  const int64_t bytes = dst.width * 3;
  if (rows.src == rows.dst) {
    for (int64_t y = 0; y < dst.height; ++y)
      std::copy_n(src.row(rows.begin - top + y) + columns.begin * 3, bytes, dst.row(y));
    return dst;
  }
  const Coefficients table = make_coefficients(rows, filter);
  for (int64_t y = 0; y < dst.height; ++y) {
    const auto i = static_cast<size_t>(y);
    mix_rows(src.row(table.first[i] - top) + columns.begin * 3, src.width * 3, dst.row(y),
             table.weights.data() + y * table.most_taps, table.taps[i], bytes);
  }
  return dst;
}

}  // namespace

std::string to_string(Filter filter) {
  constexpr const char* names[] = {"nearest", "box", "bilinear", "bicubic", "lanczos"};
  return names[static_cast<int>(filter)];
}

Filter filter_from(const std::string& name) {
  for (const Filter filter :
       {Filter::nearest, Filter::box, Filter::bilinear, Filter::bicubic, Filter::lanczos})
    if (to_string(filter) == name) return filter;
  fail("no resize filter \"", name, "\"; there are nearest, box, bilinear, bicubic, lanczos");
}

Picture resize(const Picture& src, const ResizeOptions& options) {
  require(options.height > 0 && options.width > 0, "resize: expected a size above 0, got ",
          options.width, "x", options.height);
  const Region source = options.source.value_or(Region{0, 0, src.height, src.width});
  const Region part = options.part.value_or(Region{0, 0, options.height, options.width});
  check(source, src.height, src.width, "the source");
  check(part, options.height, options.width, "the part");
  const Axis rows{source.height, options.height, part.top, part.top + part.height};
  const Axis columns{source.width, options.width, part.left, part.left + part.width};
  if (options.filter == Filter::nearest) return resize_nearest(src, source, rows, columns);

  Picture cut;
  const bool whole = source == Region{0, 0, src.height, src.width};
  if (!whole) cut = crop(src, source);
  const Picture& from = whole ? src : cut;
  const int64_t less_height = rows.src - rows.dst, less_width = columns.src - columns.dst;
  const bool vertical_first =
      options.order == PassOrder::pillow_13 && less_height > 0 && less_height > 2 * less_width;
  // Of what the second pass reads, the first makes no more.
  if (vertical_first) {
    const Range used = inputs_of(columns, options.filter);
    const Picture narrow = vertical_pass(from, rows, used, 0, options.filter);
    return horizontal_pass(narrow, columns, {0, narrow.height}, used.begin, options.filter);
  }
  const Range used = inputs_of(rows, options.filter);
  const Picture wide = horizontal_pass(from, columns, used, 0, options.filter);
  return vertical_pass(wide, rows, {0, wide.width}, used.begin, options.filter);
}

Picture shrunk(const Picture& picture, int64_t side) {
  const int64_t longer = std::max(picture.height, picture.width);
  if (longer <= side) return picture;
  return resize(picture, {.height = std::max<int64_t>(1, picture.height * side / longer),
                          .width = std::max<int64_t>(1, picture.width * side / longer)});
}

}  // namespace limbic::io
