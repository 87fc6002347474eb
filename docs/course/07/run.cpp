// What this processor can do, and what four convolutions and two dot products make of it. Ends with
// status 1 where two of them differ.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>

#include "exercise.h"
#include "kernels.h"
#include "reference/glyphs.h"

using namespace limbic::course;

namespace {

/// The median of 9 runs, in seconds.
template <class Body>
double seconds(const Body& body) {
  std::vector<double> times;
  for (int i = 0; i < 9; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    body();
    times.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  std::nth_element(times.begin(), times.begin() + 4, times.end());
  return times[4];
}

Floats random_floats(size_t n, uint64_t seed) {
  limbic::reference::Random random(seed);
  Floats out(n);
  for (float& x : out) x = static_cast<float>(random.uniform(-1, 1));
  return out;
}

volatile float sink;  // what is written here cannot be left out by the compiler

/// Operations a second of multiply-adds that need nothing from memory.
double measure_flops() {
#ifdef __AVX512F__
  constexpr size_t lanes = 128;  // what fits into the registers
#else
  constexpr size_t lanes = 64;
#endif
  constexpr int rounds = 2'000'000;
  float sums[lanes] = {}, a = 0.999f;
  const double time = seconds([&] {
    for (int i = 0; i < rounds; ++i)
      for (size_t l = 0; l < lanes; ++l) sums[l] = sums[l] * a + 0.001f;
    for (const float s : sums) sink = s;
  });
  return 2.0 * lanes * rounds / time;
}

/// Bytes a second of reading two arrays of 128 MB, more than most caches hold.
double measure_bytes() {
  const std::vector<int64_t> a(size_t{16} << 20, 1), b(a);
  const double time = seconds([&] {
    int64_t sum = 0;
    for (size_t i = 0; i < a.size(); ++i) sum += a[i] + b[i];
    sink = static_cast<float>(sum);
  });
  return 16.0 * static_cast<double>(a.size()) / time;
}

/// A convolution's picture and weights in both orders.
struct Problem {
  Floats src = Floats(channels * (side + 2) * (side + 2)), src_last = src;
  Floats weight = random_floats(channels * channels * 9, 2), weight_last = weight;

  Problem() {
    limbic::reference::Random random(1);
    for (size_t c = 0; c < channels; ++c)
      for (size_t y = 1; y <= side; ++y)
        for (size_t x = 1; x <= side; ++x)
          src_last[last(y, x, c)] = src[planar(c, y, x)] =
              static_cast<float>(random.uniform(-1, 1));
    for (size_t o = 0; o < channels; ++o)
      for (size_t c = 0; c < channels; ++c)
        for (size_t i = 0; i < 9; ++i)
          weight_last[(i * channels + c) * channels + o] = weight[(o * channels + c) * 9 + i];
  }
};

/// The largest difference from the planar result.
double difference(const Floats& expected, const Floats& dst) {
  double largest = 0;
  for (size_t c = 0; c < channels; ++c)
    for (size_t y = 1; y <= side; ++y)
      for (size_t x = 1; x <= side; ++x)
        largest =
            std::max<double>(largest, std::abs(expected[planar(c, y, x)] - dst[last(y, x, c)]));
  return largest;
}

constexpr double conv_flops = 2.0 * channels * channels * 9 * side * side;

bool measure_convolutions() {
  const Problem p;
  Floats expected(p.src.size());
  const double plain = seconds([&] { conv_planar(p.src, p.weight, expected); });
  std::printf("as defined, channels first      %7.3f ms %7.1f GFLOP/s\n", 1e3 * plain,
              conv_flops / plain / 1e9);
  bool all_equal = true;
  const auto measure = [&](const char* name, const auto& convolution) {
    Floats dst(p.src.size());
    const double time = seconds([&] { convolution(dst); });
    const double largest = difference(expected, dst);
    std::printf("%-31s %7.3f ms %7.1f GFLOP/s, largest difference %.0e\n", name, 1e3 * time,
                conv_flops / time / 1e9, largest);
    all_equal = all_equal && largest < 1e-3;
  };
  measure("channels last", [&](Floats& dst) { conv_last<1>(p.src_last, p.weight_last, dst); });
  measure("channels last, four pixels",
          [&](Floats& dst) { conv_last<4>(p.src_last, p.weight_last, dst); });
  const Floats transformed = transform_weights(p.weight_last);
  measure("Winograd's F(2x2, 3x3)",
          [&](Floats& dst) { conv_winograd(p.src_last, transformed, dst); });
  return all_equal;
}

/// Dot products of 16 million numbers: 64 MB in f32, 16 MB in 8 bits.
bool measure_dots() {
  const size_t n = size_t{1} << 24;
  const Floats a = random_floats(n, 3), b = random_floats(n, 4);
  const Quantised qa = quantise(a), qb = quantise(b);
  float one = 0, lanes[64];
  int64_t whole = 0;
  const double in_order = seconds([&] {
    one = 0;
    for (size_t i = 0; i < n; ++i) one += a[i] * b[i];
    sink = one;
  });
  const double side_by_side = seconds([&] {
    for (float& lane : lanes) lane = 0;
    for (size_t i = 0; i < n; i += 64)
      for (size_t l = 0; l < 64; ++l) lanes[l] += a[i + l] * b[i + l];
    for (const float lane : lanes) sink = sink + lane;
  });
  const double bytes = seconds([&] {
    whole = 0;
    for (size_t i = 0; i < n; i += 4096) {
      int32_t sum = 0;
      for (size_t l = 0; l < 4096; ++l) sum += qa.levels[i + l] * qb.levels[i + l];
      whole += sum;
    }
    sink = static_cast<float>(whole);
  });
  double exact = 0, squares = 0, other = 0;
  for (size_t i = 0; i < n; ++i) {
    exact += double{a[i]} * double{b[i]};
    squares += double{a[i]} * double{a[i]};
    other += double{b[i]} * double{b[i]};
  }
  const double size = std::sqrt(squares * other);  // the largest that it could be
  const double error = (qa.scale * qb.scale * static_cast<double>(whole) - exact) / size;
  std::printf("dot of 2^24 f32, one sum        %7.3f ms\n", 1e3 * in_order);
  std::printf("dot of 2^24 f32, 64 sums        %7.3f ms\n", 1e3 * side_by_side);
  std::printf("dot of 2^24 bytes               %7.3f ms, error %.0e of the largest possible dot\n",
              1e3 * bytes, std::abs(error));
  return std::abs(error) < 1e-3;
}

void print_roofline(const Machine& m) {
  std::printf("this core: %.0f GFLOP/s, %.0f GB/s; they balance at %.1f operations a byte\n\n",
              m.flops_per_second / 1e9, m.bytes_per_second / 1e9,
              m.flops_per_second / m.bytes_per_second);
  std::printf("by the roofline at least        %7.3f ms\n",
              1e3 * conv_seconds({channels, channels, side, side, 3}, m));
}

}  // namespace

int main() {
  const Conv first{64, 64, 56, 56, 3}, narrow{1, 64, 56, 56, 1};
  const Machine example{100e9, 20e9};
  std::printf("100 GFLOP/s and 20 GB/s: 3x3, 64 -> 64 channels %.3f ms, 1x1, 1 -> 64 %.4f ms\n\n",
              1e3 * conv_seconds(first, example), 1e3 * conv_seconds(narrow, example));
  print_roofline({measure_flops(), measure_bytes()});
  const bool convolutions = measure_convolutions();
  std::printf("\n");
  return measure_dots() && convolutions ? 0 : 1;
}
