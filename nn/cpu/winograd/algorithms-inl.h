// The one-dimensional transforms of F(2,3) and F(4,3) on vectors. Included once for each
// instruction set, from nn/cpu/winograd/transforms.cpp only; docs/winograd.md derives them.
#if defined(LIMBIC_WINOGRAD_ALGORITHMS) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMBIC_WINOGRAD_ALGORITHMS
#undef LIMBIC_WINOGRAD_ALGORITHMS
#else
#define LIMBIC_WINOGRAD_ALGORITHMS
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace limbic::winograd {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// The transforms of inputs and outputs come in parts of two rows of their matrices, input_rows and
// output_rows: a part's intermediate results of both dimensions fit into registers together.
template <int m>
struct Algorithm;

// Points 0, 1, -1, infinity.
template <>
struct Algorithm<2> {
  static constexpr int input_parts = 2, output_parts = 1;
  static constexpr int input_rows[2][2] = {{0, 3}, {1, 2}}, output_rows[1][2] = {{0, 1}};

  template <int part, class D, class V = hn::Vec<D>>
  static HWY_INLINE void input_part(D, const V (&x)[4], V (&v)[2]) {
    v[0] = part == 0 ? hn::Sub(x[0], x[2]) : hn::Add(x[1], x[2]);
    v[1] = part == 0 ? hn::Sub(x[3], x[1]) : hn::Sub(x[2], x[1]);
  }
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE void weights(D d, const V (&g)[3], V (&u)[4]) {
    const V half = hn::Set(d, 0.5f);
    const V even = hn::Mul(half, hn::Add(g[0], g[2]));
    u[0] = g[0];
    u[1] = hn::MulAdd(half, g[1], even);
    u[2] = hn::NegMulAdd(half, g[1], even);
    u[3] = g[2];
  }
  template <int part, class D, class V = hn::Vec<D>>
  static HWY_INLINE void output_part(D, const V (&p)[4], V (&s)[2]) {
    s[0] = hn::Add(p[0], hn::Add(p[1], p[2]));
    s[1] = hn::Add(p[3], hn::Sub(p[1], p[2]));
  }
};

// Points 0, a, -a, b, -b, infinity with a = 5/8, b = 3/2: exact in binary, and half the rounding
// error of the usual 1 and 2 (measured, docs/winograd.md).
template <>
struct Algorithm<4> {
  static constexpr int input_parts = 3, output_parts = 2;
  static constexpr int input_rows[3][2] = {{0, 5}, {1, 2}, {3, 4}},
                       output_rows[2][2] = {{0, 2}, {1, 3}};
  static constexpr double a = 0.625, b = 1.5, a2 = a * a, b2 = b * b,
                          over_a = 1 / (2 * a2 * (a2 - b2)), over_b = 1 / (2 * b2 * (b2 - a2));

  template <class D>
  static HWY_INLINE hn::Vec<D> constant(D d, double value) {
    return hn::Set(d, static_cast<float>(value));
  }
  template <int part, class D, class V = hn::Vec<D>>
  static HWY_INLINE void input_part(D d, const V (&x)[6], V (&v)[2]) {
    if constexpr (part == 0) {
      const V sum = constant(d, a2 + b2), product = constant(d, a2 * b2);
      v[0] = hn::MulAdd(product, x[0], hn::NegMulAdd(sum, x[2], x[4]));
      v[1] = hn::MulAdd(product, x[1], hn::NegMulAdd(sum, x[3], x[5]));
    } else {  // x^2 (x^2 - other^2) +- point x (x^2 - other^2)
      const V point = constant(d, part == 1 ? a : b), other2 = constant(d, part == 1 ? b2 : a2);
      const V even = hn::NegMulAdd(other2, x[2], x[4]), odd = hn::NegMulAdd(other2, x[1], x[3]);
      v[0] = hn::MulAdd(point, odd, even);
      v[1] = hn::NegMulAdd(point, odd, even);
    }
  }
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE void weights(D d, const V (&g)[3], V (&u)[6]) {
    const V even_a = hn::MulAdd(constant(d, over_a * a2), g[2], hn::Mul(constant(d, over_a), g[0]));
    const V even_b = hn::MulAdd(constant(d, over_b * b2), g[2], hn::Mul(constant(d, over_b), g[0]));
    u[0] = hn::Mul(constant(d, 1 / (a2 * b2)), g[0]);
    u[1] = hn::MulAdd(constant(d, over_a * a), g[1], even_a);
    u[2] = hn::NegMulAdd(constant(d, over_a * a), g[1], even_a);
    u[3] = hn::MulAdd(constant(d, over_b * b), g[1], even_b);
    u[4] = hn::NegMulAdd(constant(d, over_b * b), g[1], even_b);
    u[5] = g[2];
  }
  template <int part, class D, class V = hn::Vec<D>>
  static HWY_INLINE void output_part(D d, const V (&p)[6], V (&s)[2]) {
    if constexpr (part == 0) {
      const V sum_a = hn::Add(p[1], p[2]), sum_b = hn::Add(p[3], p[4]);
      s[0] = hn::Add(p[0], hn::Add(sum_a, sum_b));
      s[1] = hn::MulAdd(constant(d, b2), sum_b, hn::Mul(constant(d, a2), sum_a));
    } else {
      const V difference_a = hn::Sub(p[1], p[2]), difference_b = hn::Sub(p[3], p[4]);
      s[0] = hn::MulAdd(constant(d, b), difference_b, hn::Mul(constant(d, a), difference_a));
      s[1] = hn::MulAdd(constant(d, b2 * b), difference_b,
                        hn::MulAdd(constant(d, a2 * a), difference_a, p[5]));
    }
  }

  // The transpositions of output_part and of weights, for the gradient of the weights: A y, by the
  // rows of input_rows, and G^T u.
  template <int part, class D, class V = hn::Vec<D>>
  static HWY_INLINE void output_gradient_part(D d, const V (&y)[4], V (&v)[2]) {
    if constexpr (part == 0) {
      v[0] = y[0];
      v[1] = y[3];
    } else {  // y at +-point
      const V point = constant(d, part == 1 ? a : b), point2 = constant(d, part == 1 ? a2 : b2);
      const V even = hn::MulAdd(point2, y[2], y[0]), odd = hn::MulAdd(point2, y[3], y[1]);
      v[0] = hn::MulAdd(point, odd, even);
      v[1] = hn::NegMulAdd(point, odd, even);
    }
  }
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE void weight_gradient(D d, const V (&u)[6], V (&g)[3]) {
    const V sum_a = hn::Add(u[1], u[2]), sum_b = hn::Add(u[3], u[4]);
    g[0] = hn::MulAdd(
        constant(d, over_b), sum_b,
        hn::MulAdd(constant(d, over_a), sum_a, hn::Mul(constant(d, 1 / (a2 * b2)), u[0])));
    g[1] = hn::MulAdd(constant(d, over_b * b), hn::Sub(u[3], u[4]),
                      hn::Mul(constant(d, over_a * a), hn::Sub(u[1], u[2])));
    g[2] = hn::MulAdd(constant(d, over_b * b2), sum_b,
                      hn::MulAdd(constant(d, over_a * a2), sum_a, u[5]));
  }
};

// One dimension, all parts.
template <int part = 0, class D, class V>
HWY_INLINE void output_gradient_1d(D d, const V (&y)[4], V (&v)[6]) {
  if constexpr (part < Algorithm<4>::input_parts) {
    V two[2];
    Algorithm<4>::output_gradient_part<part>(d, y, two);
    for (int i = 0; i < 2; ++i) v[Algorithm<4>::input_rows[part][i]] = two[i];
    output_gradient_1d<part + 1>(d, y, v);
  }
}
template <int m, int part = 0, class D, class V>
HWY_INLINE void input_1d(D d, const V (&x)[m + 2], V (&v)[m + 2]) {
  if constexpr (part < Algorithm<m>::input_parts) {
    V two[2];
    Algorithm<m>::template input_part<part>(d, x, two);
    for (int i = 0; i < 2; ++i) v[Algorithm<m>::input_rows[part][i]] = two[i];
    input_1d<m, part + 1>(d, x, v);
  }
}
template <int m, int part = 0, class D, class V>
HWY_INLINE void output_1d(D d, const V (&p)[m + 2], V (&s)[m]) {
  if constexpr (part < Algorithm<m>::output_parts) {
    V two[2];
    Algorithm<m>::template output_part<part>(d, p, two);
    for (int i = 0; i < 2; ++i) s[Algorithm<m>::output_rows[part][i]] = two[i];
    output_1d<m, part + 1>(d, p, s);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace limbic::winograd
HWY_AFTER_NAMESPACE();
#endif
