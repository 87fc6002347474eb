#include "io/resize.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "nn/core/error.h"

// The inner loops are compiled twice and chosen at load time: 32-bit multiplication of whole
// vectors came only with AVX2. clang builds only check.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__)
#define LIMBIC_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define LIMBIC_CLONES
#endif

namespace limbic {
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
LIMBIC_CLONES void resize_row(const uint8_t* src, uint8_t* dst, const Coefficients& table,
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

// One row of the vertical pass: dst (bytes) from `taps` rows of src, `bytes` apart.
LIMBIC_CLONES void mix_rows(const uint8_t* src, uint8_t* dst, const int32_t* weights, int64_t taps,
                            int64_t bytes) {
  constexpr int64_t block = 64;
  for (int64_t begin = 0; begin < bytes; begin += block) {
    int32_t sums[block];
    const int64_t n = std::min(block, bytes - begin);
    std::fill_n(sums, block, half);
    for (int64_t t = 0; t < taps; ++t) {
      const uint8_t* in = src + t * bytes + begin;
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

  // A pass that would change nothing is left out, as in Pillow: its rounding could otherwise show.
  const bool vertical = rows.src != rows.dst, horizontal = columns.src != columns.dst;
  Coefficients down;
  int64_t first_row = part.top, last_row = part.top + part.height;
  if (vertical) {
    down = make_coefficients(rows, options.filter);
    first_row = down.first.front();
    last_row = down.first.back() + down.taps.back();
  }
  Picture wide(last_row - first_row, part.width);
  const Coefficients across =
      horizontal ? make_coefficients(columns, options.filter) : Coefficients{};
  for (int64_t y = 0; y < wide.height; ++y) {
    const uint8_t* in = src.row(source.top + first_row + y) + source.left * 3;
    if (horizontal)
      resize_row(in, wide.row(y), across, part.width);
    else
      std::copy_n(in + part.left * 3, part.width * 3, wide.row(y));
  }
  if (!vertical) return wide;
  Picture dst(part.height, part.width);
  for (int64_t y = 0; y < dst.height; ++y) {
    const size_t i = static_cast<size_t>(y);
    mix_rows(wide.row(down.first[i] - first_row), dst.row(y),
             down.weights.data() + y * down.most_taps, down.taps[i], part.width * 3);
  }
  return dst;
}

}  // namespace limbic
