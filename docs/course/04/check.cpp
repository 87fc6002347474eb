#include "exercise.h"
#include "reference/activation.h"
#include "reference/add.h"
#include "reference/batch_norm.h"
#include "reference/conv2d.h"
#include "reference/glyphs.h"

using namespace limbic::course;
namespace reference = limbic::reference;

namespace {

Array uniform(Shape shape, uint64_t seed) {
  reference::Random random(seed);
  Array out(std::move(shape));
  for (double& x : out.values) x = random.uniform(-1, 1);
  return out;
}

// The gradient of src with some of its three terms.
struct Terms {
  bool sum = true, normalised = true;
  double divisor = 3;
};

Array gradient_of(const Terms& terms) {
  const double inverse = 1 / std::sqrt(8.0 / terms.divisor + 1e-5), x = 2 * inverse;
  Array out({3, 1});
  const double dy[] = {1, 0, 0}, normalised[] = {-x, 0, x};
  for (int64_t i = 0; i < 3; ++i)
    out[i] = inverse *
             (dy[i] - (terms.sum ? 1.0 / 3 : 0) + (terms.normalised ? normalised[i] * x / 3 : 0));
  return out;
}

void check_batch_norm() {
  expect("src 1 3 5, weight 1, dy 1 0 0",
         batch_norm_backward(array({3, 1}, {1, 3, 5}), number(1), array({3, 1}, {1, 0, 0})),
         {gradient_of({}),
          "weight / sqrt(var + 1e-5) * (dy - sum(dy) / n - x^ sum(dy x^) / n)",
          {{gradient_of({.sum = false}), "the mean depends on src too: sum(dy) / n is missing"},
           {gradient_of({.normalised = false}),
            "the variance depends on src too: x^ sum(dy x^) / n is missing"},
           {gradient_of({.sum = false, .normalised = false}),
            "mean and variance are not constants here; two terms are missing"},
           {gradient_of({.divisor = 2}), "the variance's divisor is n, not n - 1"}}});
  const Array src = uniform({5, 2}, 1), dy = uniform({5, 2}, 2), weight = numbers({2, -3});
  expect("five rows of two channels, weights 2 and -3", batch_norm_backward(src, weight, dy),
         {reference::batch_norm_backward(src, weight, {}, dy).src,
          "each channel has its own mean, variance, sums and weight"});
}

void check_fold() {
  const BatchNorm norm{numbers({3}), numbers({4 - 1e-5}), numbers({10}), numbers({1})};
  const Folded one = fold(array({1, 1, 1, 1}, {2}), norm);
  expect("a weight 2, mean 3, var + epsilon 4, weight 10, bias 1: the folded weight", one.weight,
         {array({1, 1, 1, 1}, {10}),
          "weight * norm.weight / sqrt(var + 1e-5) = 2 * 10 / 2",
          {{array({1, 1, 1, 1}, {5}), "the square root is missing"}}});
  expect("a weight 2, mean 3, var + epsilon 4, weight 10, bias 1: the folded bias", one.bias,
         {number(-14),
          "bias - mean * norm.weight / sqrt(var + 1e-5) = 1 - 3 * 10 / 2",
          {{number(16), "the mean is subtracted, not added"},
           {number(1), "the mean is missing"},
           {number(-2), "the mean must be scaled as the weights are"}}});
  const Array src = uniform({2, 2, 4, 4}, 3), weight = uniform({3, 2, 3, 3}, 4);
  const BatchNorm three{uniform({3}, 5), numbers({0.5, 1, 2}), uniform({3}, 6), uniform({3}, 7)};
  const Folded folded = fold(weight, three);
  const Array both =
      reference::frozen_batch_norm(reference::conv2d(src, weight, {}, {}), three.weight, three.bias,
                                   {three.mean, three.var}, {});
  expect("three output channels: conv2d with the folded weight and bias",
         reference::conv2d(src, folded.weight, folded.bias, {}),
         {both, "output channel o is scaled by norm.weight[o]; weight's first index is o"});
}

void check_residual() {
  // The middle weight alone: conv2d(src) = -2 src in channel 0.
  Array weight({1, 1, 3, 3});
  weight.at(0, 0, 1, 1) = -2;
  const Array src = array({1, 1, 1, 2}, {-1, 1}), dy = array({1, 1, 1, 2}, {10, 20});
  expect("src -1 1, a convolution that multiplies by -2, dy 10 20",
         residual_backward(src, weight, dy),
         {array(src.shape, {-10, 0}),
          "dst = relu(src - 2 src) = relu(1, -1); only the first passes, and it has slope 1 - 2",
          {{array(src.shape, {-10, -20}), "relu's gradient is missing: it stands behind the sum"},
           {array(src.shape, {0, -20}),
            "relu looked at src; what it reads is the sum src + conv2d(src)"},
           {array(src.shape, {-20, 0}), "src itself is read by the sum too: add its gradient"},
           {array(src.shape, {-10, 20}),
            "dy reaches src on the short way past relu; relu comes first, then both ways"}}});
  const Array many = uniform({2, 3, 4, 5}, 1), kernels = uniform({3, 3, 3, 3}, 2),
              grown = uniform({2, 3, 4, 5}, 3);
  const Array sum = reference::add(many, reference::conv2d(many, kernels, {}, {.padding = 1}));
  const Array d = reference::relu_backward(sum, grown);
  expect("two pictures of three channels", residual_backward(many, kernels, grown),
         {reference::add(d, reference::conv2d_backward(many, kernels, {.padding = 1}, d).src),
          "the gradient behind relu goes both ways, and what arrives at src adds up"});
}

}  // namespace

int main() {
  Lesson lesson("Lesson 4: batch norm and residuals");
  lesson.exercise("batch_norm_backward", check_batch_norm);
  lesson.exercise("fold", check_fold);
  lesson.exercise("residual_backward", check_residual);
  return lesson.finish();
}
