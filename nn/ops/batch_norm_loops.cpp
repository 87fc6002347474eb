#include "limbic/nn/ops/batch_norm_loops.h"

#include <algorithm>
#include <type_traits>

#include "limbic/core/simd.h"

namespace limbic {
namespace {

// Rows summed in f32 before they go to the f64 sums: enough to be fast, few enough to be exact.
constexpr int64_t block_rows = 8;

// sums[c] += sum of (x - shift), squares[c] += sum of (x - shift)^2. The shift (the first row)
// keeps the difference of squares from cancelling.
template <class T>
LIMBIC_MULTIVERSION void add_moments(const T* __restrict x, const T* __restrict shift, int64_t rows,
                                     int64_t columns, float* __restrict scratch,
                                     double* __restrict sums, double* __restrict squares) {
  float* __restrict s = scratch, * __restrict q = scratch + columns;
  for (int64_t begin = 0; begin < rows; begin += block_rows) {
    const int64_t end = std::min(rows, begin + block_rows);
    for (int64_t c = 0; c < columns; ++c) s[c] = q[c] = 0;
    for (int64_t r = begin; r < end; ++r)
      for_columns(
          columns, [&](int64_t c) __attribute__((always_inline)) {
            const float d = to_f32(x[r * columns + c]) - to_f32(shift[c]);
            s[c] += d;
            q[c] += d * d;
          });
    for (int64_t c = 0; c < columns; ++c) {
      sums[c] += static_cast<double>(s[c]);
      squares[c] += static_cast<double>(q[c]);
    }
  }
}

template <Then then, bool add, class T>
LIMBIC_MULTIVERSION void normalise_rows(const T* x, const T* __restrict z, T* y,
                                        const float* __restrict mean, const float* __restrict scale,
                                        const float* __restrict bias, float cap, const Rows<T>& r) {
  const int64_t rows = r.rows, columns = r.columns, x_pitch = r.x_pitch, y_pitch = r.y_pitch;
  for (int64_t row = 0; row < rows; ++row) {
    const T* in = x + row * x_pitch;  // may be out itself
    T* out = y + row * y_pitch;
    const T* __restrict other = add ? z + row * y_pitch : nullptr;
    for_columns(
        columns, [&](int64_t c) __attribute__((always_inline)) {
          float v = (to_f32(in[c]) - mean[c]) * scale[c] + bias[c];
          if constexpr (add) v += to_f32(other[c]);
          if constexpr (then != Then::nothing) v = v < 0 ? 0.0f : v;
          if constexpr (then == Then::capped_relu) v = v > cap ? cap : v;
          out[c] = from_f32<T>(v);
        });
  }
}

// dy where it passes the mask, else 0.
template <Mask mask, class T>
[[gnu::always_inline]] inline float masked(float dy, float centred, float scale, float bias,
                                           const T* y, float cap) {
  if constexpr (mask == Mask::none) return dy;
  // NaN passes, as it passes the ReLU.
  const float v = mask == Mask::recomputed ? centred * scale + bias : to_f32(*y);
  return v <= 0 || v >= cap ? 0.0f : dy;
}

template <Mask mask, class T>
LIMBIC_MULTIVERSION void gradient_sums(const GradientRows<T>& g, float* __restrict scratch,
                                       double* __restrict sums, double* __restrict products) {
  const T* __restrict dy = g.dy, * __restrict y = g.y, * __restrict x = g.x;
  const float *__restrict mean = g.affine.mean, *__restrict scale = g.affine.scale,
              *__restrict bias = g.affine.bias;
  const int64_t rows = g.rows, columns = g.columns, x_pitch = g.x_pitch, y_pitch = g.y_pitch;
  const float cap = g.cap;
  float* __restrict s = scratch, * __restrict p = scratch + columns;
  for (int64_t begin = 0; begin < rows; begin += block_rows) {
    const int64_t end = std::min(rows, begin + block_rows);
    for (int64_t c = 0; c < columns; ++c) s[c] = p[c] = 0;
    for (int64_t r = begin; r < end; ++r)
      for_columns(
          columns, [&](int64_t c) __attribute__((always_inline)) {
            const float centred = to_f32(x[r * x_pitch + c]) - mean[c];
            const float d = masked<mask>(to_f32(dy[r * y_pitch + c]), centred, scale[c], bias[c],
                                         y + r * y_pitch + c, cap);
            s[c] += d;
            p[c] += d * centred;
          });
    for (int64_t c = 0; c < columns; ++c) {
      sums[c] += static_cast<double>(s[c]);
      products[c] += static_cast<double>(p[c]);
    }
  }
}

template <Mask mask, bool add, class T>
LIMBIC_MULTIVERSION void input_gradient_rows(const GradientRows<T>& g, const InputGradient& k,
                                             T* __restrict dx) {
  const T* __restrict dy = g.dy, * __restrict y = g.y, * __restrict x = g.x;
  const float *__restrict mean = g.affine.mean, *__restrict scale = g.affine.scale,
              *__restrict bias = g.affine.bias;
  const float* __restrict a = k.a, * __restrict slope = k.slope, * __restrict mean_d = k.mean;
  const int64_t rows = g.rows, columns = g.columns, x_pitch = g.x_pitch, y_pitch = g.y_pitch;
  const float cap = g.cap;
  for (int64_t r = 0; r < rows; ++r)
    for_columns(
        columns, [&](int64_t c) __attribute__((always_inline)) {
          const float centred = to_f32(x[r * x_pitch + c]) - mean[c];
          const float d = masked<mask>(to_f32(dy[r * y_pitch + c]), centred, scale[c], bias[c],
                                       y + r * y_pitch + c, cap);
          float v = (d - mean_d[c] - centred * slope[c]) * a[c];
          if constexpr (add) v += to_f32(dx[r * x_pitch + c]);
          dx[r * x_pitch + c] = from_f32<T>(v);
        });
}

template <class T>
LIMBIC_MULTIVERSION void mask_row(const T* __restrict dy, const T* __restrict y, T* __restrict dz,
                                  float cap, bool add, int64_t n) {
  for (int64_t c = 0; c < n; ++c) {
    const float all = to_f32(dy[c]);
    const float d = y && (to_f32(y[c]) <= 0 || to_f32(y[c]) >= cap) ? 0.0f : all;
    dz[c] = from_f32<T>(add ? to_f32(dz[c]) + d : d);
  }
}

}  // namespace

int64_t reduction_bytes(int64_t team, int64_t columns) {
  const int64_t f64 = 8, f32 = 4;
  return team * (2 * columns * f64 + 2 * columns * f32) + 2 * columns * f64 + 3 * columns * f32;
}

namespace detail {

Partials prepare(const ReductionMemory& memory, int64_t columns) {
  const int64_t team = memory.team;
  auto* partial = static_cast<double*>(memory.data);
  double* total = partial + 2 * team * columns;
  std::fill(partial, total + 2 * columns, 0.0);
  return {team, columns, partial, total, reinterpret_cast<float*>(total + 2 * columns)};
}

Reduction Partials::add_up() const {
  for (int64_t t = 0; t < team; ++t)
    for (int64_t c = 0; c < 2 * columns; ++c) total[c] += of_thread(t)[c];
  return {total, total + columns, scratch};
}

}  // namespace detail

template <class T>
Reduction batch_moments(const T* x, int64_t rows, int64_t columns, const ReductionMemory& memory) {
  const Reduction r = reduce(
      memory, rows, columns, [&](int64_t begin, int64_t end, float* scratch, double* s, double* q) {
        add_moments(x + begin * columns, x, end - begin, columns, scratch, s, q);
      });
  const double n = static_cast<double>(rows);
  for (int64_t c = 0; c < columns; ++c) {
    const double shifted = r.first[c] / n;
    r.first[c] = shifted + static_cast<double>(to_f32(x[c]));
    r.second[c] = std::max(0.0, r.second[c] / n - shifted * shifted);
  }
  return r;
}

template <class T>
void normalise(const Rows<T>& r, const Affine& a, Then then, float cap) {
  const auto run = [&]<Then t>(std::integral_constant<Then, t>) {
    r.add ? normalise_rows<t, true>(r.x, r.add, r.y, a.mean, a.scale, a.bias, cap, r)
          : normalise_rows<t, false>(r.x, r.add, r.y, a.mean, a.scale, a.bias, cap, r);
  };
  switch (then) {
    case Then::nothing:
      return run(std::integral_constant<Then, Then::nothing>());
    case Then::relu:
      return run(std::integral_constant<Then, Then::relu>());
    case Then::capped_relu:
      return run(std::integral_constant<Then, Then::capped_relu>());
  }
}

template <class T>
void add_gradient_sums(const GradientRows<T>& g, float* scratch, double* sums, double* products) {
  switch (g.mask) {
    case Mask::none:
      return gradient_sums<Mask::none>(g, scratch, sums, products);
    case Mask::recomputed:
      return gradient_sums<Mask::recomputed>(g, scratch, sums, products);
    case Mask::stored:
      return gradient_sums<Mask::stored>(g, scratch, sums, products);
  }
}

template <class T>
void input_gradient(const GradientRows<T>& g, const InputGradient& k, T* dx, bool add) {
  switch (g.mask) {
    case Mask::none:
      return add ? input_gradient_rows<Mask::none, true>(g, k, dx)
                 : input_gradient_rows<Mask::none, false>(g, k, dx);
    case Mask::recomputed:
      return add ? input_gradient_rows<Mask::recomputed, true>(g, k, dx)
                 : input_gradient_rows<Mask::recomputed, false>(g, k, dx);
    case Mask::stored:
      return add ? input_gradient_rows<Mask::stored, true>(g, k, dx)
                 : input_gradient_rows<Mask::stored, false>(g, k, dx);
  }
}

template <class T>
void mask_gradient(const GradientRows<T>& g, T* dz, bool add) {
  for (int64_t r = 0; r < g.rows; ++r)
    mask_row(g.dy + r * g.y_pitch, g.mask == Mask::none ? nullptr : g.y + r * g.y_pitch,
             dz + r * g.y_pitch, g.cap, add, g.columns);
}

template Reduction batch_moments(const float*, int64_t, int64_t, const ReductionMemory&);
template Reduction batch_moments(const BFloat16*, int64_t, int64_t, const ReductionMemory&);
template void normalise(const Rows<float>&, const Affine&, Then, float);
template void normalise(const Rows<BFloat16>&, const Affine&, Then, float);
template void add_gradient_sums(const GradientRows<float>&, float*, double*, double*);
template void add_gradient_sums(const GradientRows<BFloat16>&, float*, double*, double*);
template void input_gradient(const GradientRows<float>&, const InputGradient&, float*, bool);
template void input_gradient(const GradientRows<BFloat16>&, const InputGradient&, BFloat16*, bool);
template void mask_gradient(const GradientRows<float>&, float*, bool);
template void mask_gradient(const GradientRows<BFloat16>&, BFloat16*, bool);

}  // namespace limbic
