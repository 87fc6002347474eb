#include "exercise.h"

using namespace limbic::course;

namespace {

void check_relu_backward() {
  const Array src = numbers({-2, 0, 3, 0.5}), dy = numbers({10, 20, 30, -40});
  expect("src -2 0 3 0.5, dy 10 20 30 -40", relu_backward(src, dy),
         {numbers({0, 0, 30, -40}),
          "dy passes where src was positive",
          {{numbers({0, 20, 30, -40}), "at 0 itself take 0, as the engine does"},
           {numbers({10, 20, 30, 0}), "look at the sign of src, not of dy"},
           {numbers({0, 0, 3, 0.5}), "that is relu itself; the gradient is dy or 0"},
           {numbers({0, 0, 1, 1}), "that is the derivative; it must be multiplied by dy"}}});
  const Array picture = array({1, 1, 1, 2}, {1, -1});
  expect("src of shape (1,1,1,2)", relu_backward(picture, array({1, 1, 1, 2}, {5, 6})),
         {array({1, 1, 1, 2}, {5, 0}), "the gradient has src's shape"});
}

void check_two_layers() {
  // hidden = (1*3 + 2*1, -1*3 + 1*1) = (5, -2), active = (5, 0), dst = 2*5 + 3*0 = 10.
  const Array src = array({1, 2}, {3, 1}), weight1 = array({2, 2}, {1, 2, -1, 1}),
              weight2 = array({1, 2}, {2, 3}), dy = array({1, 1}, {10});
  const TwoLayers d = two_layers_backward(src, weight1, weight2, dy);
  expect("src 3 1, W1 = 1 2 / -1 1, W2 = 2 3, dy = 10: the gradient of W2", d.weight2,
         {array({1, 2}, {50, 0}),
          "dst = W2 active, so W2's gradient is dy times active = (5, 0)",
          {{array({1, 2}, {50, -20}), "what W2 is multiplied by is active, not hidden"}}});
  expect("src 3 1, W1 = 1 2 / -1 1, W2 = 2 3, dy = 10: the gradient of W1", d.weight1,
         {array({2, 2}, {60, 20, 0, 0}),
          "active's gradient is dy W2 = (20, 30); hidden's is (20, 0), since hidden 1 is negative",
          {{array({2, 2}, {60, 20, 90, 30}), "relu's gradient is missing between the two layers"},
           {array({2, 2}, {30, 10, 30, 10}), "W2 is missing: dy must go back through it first"}}});
  expect("src 3 1, W1 = 1 2 / -1 1, W2 = 2 3, dy = 10: the gradient of src", d.src,
         {array({1, 2}, {20, 40}),
          "src's gradient is hidden's gradient (20, 0) times W1",
          {{array({1, 2}, {-10, 70}), "relu's gradient is missing between the two layers"}}});
}

void check_numerical_gradient() {
  const auto cubes = [](const Array& x) { return x[0] * x[0] * x[0] + 5 * x[1]; };
  expect("f = x0^3 + 5 x1 at (2, 7), h = 1", numerical_gradient(cubes, numbers({2, 7}), 1),
         {numbers({13, 5}),
          "(f(3, 7) - f(1, 7)) / 2 = (27 - 1) / 2 = 13",
          {{numbers({19, 5}), "that is a forward difference; take f(x + h) and f(x - h)"},
           {numbers({26, 10}), "f(x + h) and f(x - h) lie 2 h apart"},
           {numbers({7, 5}), "that is a backward difference; take f(x + h) and f(x - h)"}}});
  const auto product = [](const Array& x) { return x[0] * x[1]; };
  expect("f = x0 x1 at (2, 3), h = 0.5", numerical_gradient(product, numbers({2, 3}), 0.5),
         {numbers({3, 2}),
          "move one element at a time",
          {{numbers({5, 5}), "both elements are moved at once; one alone, please"}}});
  expect(
      "f = x0 x1 at (2, 3), h = 0.5, the elements as a column",
      numerical_gradient(product, array({2, 1}, {2, 3}), 0.5),
      {array({2, 1}, {3, 2}), "the gradient has x's shape; put back each element after moving it"});
}

}  // namespace

int main() {
  Lesson lesson("Lesson 3: backpropagation through a graph");
  lesson.exercise("relu_backward", check_relu_backward);
  lesson.exercise("two_layers_backward", check_two_layers);
  lesson.exercise("numerical_gradient", check_numerical_gradient);
  return lesson.finish();
}
