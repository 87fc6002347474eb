// The one-dimensional transforms of F(2,3) and F(4,3) on vectors. Included once for each
// instruction set, from nn/winograd/transforms.cpp only; docs/winograd.md derives them.
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

template <int m>
struct Algorithm;

// Points 0, 1, -1, infinity.
template <>
struct Algorithm<2> {
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE void input(D, const V (&d)[4], V (&v)[4]) {
    v[0] = hn::Sub(d[0], d[2]);
    v[1] = hn::Add(d[1], d[2]);
    v[2] = hn::Sub(d[2], d[1]);
    v[3] = hn::Sub(d[3], d[1]);
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
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE void output(D, const V (&p)[4], V (&s)[2]) {
    s[0] = hn::Add(p[0], hn::Add(p[1], p[2]));
    s[1] = hn::Add(p[3], hn::Sub(p[1], p[2]));
  }
};

// Points 0, a, -a, b, -b, infinity with a = 5/8, b = 3/2: exact in binary, and half the rounding
// error of the usual 1 and 2 (measured, docs/winograd.md).
template <>
struct Algorithm<4> {
  static constexpr double a = 0.625, b = 1.5, a2 = a * a, b2 = b * b;

  template <class D>
  static HWY_INLINE hn::Vec<D> constant(D d, double value) {
    return hn::Set(d, static_cast<float>(value));
  }
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE void input(D d, const V (&x)[6], V (&v)[6]) {
    const V sum = constant(d, a2 + b2), product = constant(d, a2 * b2);
    const V even_a = hn::NegMulAdd(constant(d, b2), x[2], x[4]);  // x^2 (x^2 - b^2)
    const V odd_a = hn::NegMulAdd(constant(d, b2), x[1], x[3]);
    const V even_b = hn::NegMulAdd(constant(d, a2), x[2], x[4]);
    const V odd_b = hn::NegMulAdd(constant(d, a2), x[1], x[3]);
    v[0] = hn::MulAdd(product, x[0], hn::NegMulAdd(sum, x[2], x[4]));
    v[1] = hn::MulAdd(constant(d, a), odd_a, even_a);
    v[2] = hn::NegMulAdd(constant(d, a), odd_a, even_a);
    v[3] = hn::MulAdd(constant(d, b), odd_b, even_b);
    v[4] = hn::NegMulAdd(constant(d, b), odd_b, even_b);
    v[5] = hn::MulAdd(product, x[1], hn::NegMulAdd(sum, x[3], x[5]));
  }
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE void weights(D d, const V (&g)[3], V (&u)[6]) {
    constexpr double over_a = 1 / (2 * a2 * (a2 - b2)), over_b = 1 / (2 * b2 * (b2 - a2));
    const V even_a = hn::MulAdd(constant(d, over_a * a2), g[2], hn::Mul(constant(d, over_a), g[0]));
    const V even_b = hn::MulAdd(constant(d, over_b * b2), g[2], hn::Mul(constant(d, over_b), g[0]));
    u[0] = hn::Mul(constant(d, 1 / (a2 * b2)), g[0]);
    u[1] = hn::MulAdd(constant(d, over_a * a), g[1], even_a);
    u[2] = hn::NegMulAdd(constant(d, over_a * a), g[1], even_a);
    u[3] = hn::MulAdd(constant(d, over_b * b), g[1], even_b);
    u[4] = hn::NegMulAdd(constant(d, over_b * b), g[1], even_b);
    u[5] = g[2];
  }
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE void output(D d, const V (&p)[6], V (&s)[4]) {
    const V sum_a = hn::Add(p[1], p[2]), difference_a = hn::Sub(p[1], p[2]);
    const V sum_b = hn::Add(p[3], p[4]), difference_b = hn::Sub(p[3], p[4]);
    s[0] = hn::Add(p[0], hn::Add(sum_a, sum_b));
    s[1] = hn::MulAdd(constant(d, b), difference_b, hn::Mul(constant(d, a), difference_a));
    s[2] = hn::MulAdd(constant(d, b2), sum_b, hn::Mul(constant(d, a2), sum_a));
    s[3] = hn::MulAdd(constant(d, b2 * b), difference_b,
                      hn::MulAdd(constant(d, a2 * a), difference_a, p[5]));
  }
};

}  // namespace HWY_NAMESPACE
}  // namespace limbic::winograd
HWY_AFTER_NAMESPACE();
#endif
