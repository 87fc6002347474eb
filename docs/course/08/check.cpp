#include "exercise.h"
#include "moons.h"
#include "smo.h"

using namespace limbic::course;

namespace {

void check_kernel() {
  const Array a = array({2, 2}, {0, 0, 3, 4}), b = array({3, 2}, {0, 0, 3, 4, 1, 0});
  const double e = std::exp(-2.5), near = std::exp(-0.1), middle = std::exp(-2.0);
  expect("(0,0) and (3,4) with (0,0), (3,4) and (1,0), gamma 0.1", rbf_kernel(a, b, 0.1),
         {array({2, 3}, {1, e, near, e, 1, middle}),
          "|(0,0) - (3,4)|^2 = 25, so K = exp(-2.5); the rows are a's samples",
          {{array({2, 3},
                  {1, std::exp(-0.5), near, std::exp(-0.5), 1, std::exp(-0.1 * std::sqrt(20.0))}),
            "the distance is squared: no root"},
           {array({2, 3}, {1, 1 / e, 1 / near, 1 / e, 1, 1 / middle}),
            "the sign: far samples have a K near 0"}}});
}

void check_step() {
  const auto step = [](const Pair& pair) { return number(step_length(pair)); };
  // x = 2 and x = 0 with K = x x'.
  expect("x = 2 with y = +1, x = 0 with y = -1, K = x x', C = 10",
         step({{.y = 1, .alpha = 0, .u = 1}, {.y = -1, .alpha = 0, .u = -1}, 4, 0, 0, 10}),
         {number(0.5), "(u_i - u_j) / (K_ii + K_jj - 2 K_ij) = 2 / 4"});
  expect("x = 2 with y = +1, x = 0 with y = -1, K = x x', C = 0.3",
         step({{.y = 1, .alpha = 0, .u = 1}, {.y = -1, .alpha = 0, .u = -1}, 4, 0, 0, 0.3}),
         {number(0.3), "alpha may not exceed C", {{number(0.5), "nothing is clipped"}}});
  expect("both y = +1, alpha_i = 1, alpha_j = 0.2, C = 5",
         step({{.y = 1, .alpha = 1, .u = 3}, {.y = 1, .alpha = 0.2, .u = -1}, 1, 1, 0, 5}),
         {number(0.2),
          "y_j alpha_j falls, so alpha_j may fall by 0.2 only",
          {{number(2), "alpha_j would become negative"},
           {number(4), "with y_j = +1 alpha_j falls: its room is alpha_j, not C - alpha_j"}}});
  expect("both y = -1, alpha_i = 0.1, alpha_j = 1, C = 5",
         step({{.y = -1, .alpha = 0.1, .u = 3}, {.y = -1, .alpha = 1, .u = -1}, 1, 1, 0, 5}),
         {number(0.1),
          "y_i alpha_i grows where alpha_i falls, if y_i = -1: its room is alpha_i",
          {{number(2), "alpha_i would become negative"},
           {number(1), "with y_j = -1 alpha_j grows: its room is C - alpha_j"}}});
  expect("y = +1 and -1, alpha 0 and 0, K_ii = K_jj = 1, K_ij = 0.5, C = 10",
         step({{.y = 1, .alpha = 0, .u = 1}, {.y = -1, .alpha = 0, .u = -1}, 1, 1, 0.5, 10}),
         {number(2),
          "2 / (1 + 1 - 2 * 0.5)",
          {{number(1), "the 2 K_ij is missing"},
           {number(2.0 / 3), "K_ij is subtracted, whatever the labels: they are in u already"},
           {number(2 / 1.5), "twice K_ij"}}});
}

void check_bias() {
  const auto b = [](const std::vector<Variable>& v) { return number(bias(v, 2)); };
  expect("u 5 at alpha 0; 1 and 2 at alpha 1; C = 2", b({{1, 0, 5}, {1, 1, 1}, {-1, 1, 2}}),
         {number(1.5),
          "the mean of the free samples' u, 0 < alpha < C",
          {{number(8.0 / 3), "a sample with alpha = 0 is not free"}}});
  expect(
      "u 5 at alpha C; 1 at alpha 1", b({{1, 2, 5}, {-1, 1, 1}}),
      {number(1), "a sample with alpha = C is not free", {{number(3), "alpha = C is not free"}}});
  // May grow: y = +1 at 0, u = -3; y = -1 at C, u = -4. May fall: y = +1 at C, u = 1; y = -1 at 0,
  // u = 4.
  expect("no free sample", b({{1, 0, -3}, {-1, 2, -4}, {1, 2, 1}, {-1, 0, 4}}),
         {number(-1),
          "the largest u that may grow is -3, the smallest that may fall is 1",
          {{number(0), "for y = -1, y alpha grows where alpha *falls*"},
           {number(-0.5), "the middle of two, not a mean of all"}}});
}

}  // namespace

int main() {
  Lesson lesson("Lesson 8: from features to an SVM by SMO");
  lesson.exercise("rbf_kernel", check_kernel);
  lesson.exercise("step_length", check_step);
  lesson.exercise("bias", check_bias);
  return lesson.finish();
}
