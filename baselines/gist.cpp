#include "limbic/baselines/gist.h"

#include <bit>
#include <cmath>
#include <complex>
#include <map>
#include <memory>
#include <mutex>
#include <numbers>

#include "limbic/core/error.h"

namespace limbic::baselines {
namespace {

using Complex = std::complex<double>;
constexpr double pi = std::numbers::pi;

Complex times(Complex a, Complex b) {
  return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
}

// Cooley-Tukey on n values, a power of two, `stride` apart; no scaling.
void transform(Complex* data, int64_t n, const std::vector<Complex>& roots) {
  for (int64_t i = 1, j = 0; i < n; ++i) {
    int64_t bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) std::swap(data[i], data[j]);
  }
  for (int64_t length = 2; length <= n; length *= 2)
    for (int64_t begin = 0; begin < n; begin += length)
      for (int64_t k = 0; k < length / 2; ++k) {
        Complex& a = data[begin + k];
        Complex& b = data[begin + k + length / 2];
        const Complex odd = times(b, roots[static_cast<size_t>(k * (n / length))]), even = a;
        a = even + odd;
        b = even - odd;
      }
}

// The two-dimensional Fourier transform of (n,n) in place, or its inverse.
void transform_square(std::vector<Complex>& image, int64_t n, bool inverse) {
  std::vector<Complex> roots, column(static_cast<size_t>(n));
  for (int64_t k = 0; k < n / 2; ++k)
    roots.push_back(
        std::polar(1.0, (inverse ? 2 : -2) * pi * static_cast<double>(k) / static_cast<double>(n)));
  for (int64_t y = 0; y < n; ++y) transform(image.data() + y * n, n, roots);
  for (int64_t x = 0; x < n; ++x) {
    for (int64_t y = 0; y < n; ++y)
      column[static_cast<size_t>(y)] = image[static_cast<size_t>(y * n + x)];
    transform(column.data(), n, roots);
    for (int64_t y = 0; y < n; ++y)
      image[static_cast<size_t>(y * n + x)] = column[static_cast<size_t>(y)];
  }
  if (inverse)
    for (Complex& v : image) v /= static_cast<double>(n * n);
}

// The frequency, -n/2 to n/2 - 1, at index i.
double frequency(int64_t i, int64_t n) { return static_cast<double>(i < n / 2 ? i : i - n); }

// Keeps frequencies up to about four cycles a picture.
std::vector<double> low_pass(const std::vector<double>& image, int64_t n) {
  std::vector<Complex> spectrum(image.begin(), image.end());
  transform_square(spectrum, n, false);
  const double s = 4 / std::sqrt(std::numbers::ln2);
  for (int64_t y = 0; y < n; ++y)
    for (int64_t x = 0; x < n; ++x) {
      const double fy = frequency(y, n), fx = frequency(x, n);
      spectrum[static_cast<size_t>(y * n + x)] *= std::exp(-(fx * fx + fy * fy) / (s * s));
    }
  transform_square(spectrum, n, true);
  std::vector<double> out;
  for (const Complex& v : spectrum) out.push_back(v.real());
  return out;
}

using Filters = std::vector<std::vector<double>>;

std::shared_ptr<const Filters> filters_of(const GistOptions& o) {
  static std::mutex mutex;
  static std::map<std::vector<int64_t>, std::shared_ptr<const Filters>> known;
  const std::lock_guard lock(mutex);
  auto& entry = known[{o.size, o.scales, o.orientations}];
  if (!entry) {
    auto filters = std::make_shared<Filters>();
    for (int64_t scale = 0; scale < o.scales; ++scale)
      for (int64_t i = 0; i < o.orientations; ++i) filters->push_back(gist_filter(o, scale, i));
    entry = filters;
  }
  return entry;
}

}  // namespace

std::vector<double> gist_filter(const GistOptions& o, int64_t scale, int64_t orientation) {
  const int64_t n = o.size;
  const double peak = 0.3 / std::pow(1.85, static_cast<double>(scale));
  const auto turns = static_cast<double>(o.orientations);
  const double sharpness = 16 * turns * turns / (32.0 * 32.0);
  std::vector<double> out(static_cast<size_t>(n * n));
  for (int64_t y = 0; y < n; ++y)
    for (int64_t x = 0; x < n; ++x) {
      const double fy = frequency(y, n), fx = frequency(x, n);
      double angle = std::atan2(fy, fx) + pi / turns * static_cast<double>(orientation);
      if (angle > pi) angle -= 2 * pi;
      const double off = std::hypot(fx, fy) / static_cast<double>(n) / peak - 1;
      out[static_cast<size_t>(y * n + x)] =
          std::exp(-10 * 0.35 * off * off - 2 * sharpness * pi * angle * angle);
    }
  return out;
}

std::vector<double> even_contrast(const Grey& image) {
  const int64_t n = image.width;
  std::vector<double> out, squares;
  for (const float v : image.values) out.push_back(std::log1p(double{v}));
  const std::vector<double> low = low_pass(out, n);
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] -= low[i];
    squares.push_back(out[i] * out[i]);
  }
  const std::vector<double> variance = low_pass(squares, n);
  for (size_t i = 0; i < out.size(); ++i) out[i] /= 0.2 + std::sqrt(std::abs(variance[i]));
  return out;
}

std::vector<float> gist(const Grey& image, const GistOptions& o) {
  require(o.size >= 2 && std::has_single_bit(static_cast<uint64_t>(o.size)) && o.grid >= 1 &&
              o.size % o.grid == 0 && image.height == o.size && image.width == o.size,
          "GIST: expected a picture of ", o.size, " x ", o.size,
          " pixels, a power of two that the grid divides, got ", image.height, " x ", image.width);
  const int64_t n = o.size, window = n / o.grid;
  const std::vector<double> even = even_contrast(image);
  std::vector<Complex> spectrum(even.begin(), even.end());
  transform_square(spectrum, n, false);
  std::vector<float> out;
  std::vector<Complex> response(spectrum.size());
  for (const std::vector<double>& filter : *filters_of(o)) {
    for (size_t i = 0; i < response.size(); ++i) response[i] = spectrum[i] * filter[i];
    transform_square(response, n, true);
    std::vector<double> means(static_cast<size_t>(o.grid * o.grid));
    for (int64_t y = 0; y < n; ++y)
      for (int64_t x = 0; x < n; ++x)
        means[static_cast<size_t>(y / window * o.grid + x / window)] +=
            std::sqrt(std::norm(response[static_cast<size_t>(y * n + x)]));
    for (const double sum : means)
      out.push_back(static_cast<float>(sum / static_cast<double>(window * window)));
  }
  return out;
}

}  // namespace limbic::baselines
