#include "exercise.h"
#include "reference/glyphs.h"
#include "reference/loss.h"

using namespace limbic::course;

namespace {

void check_cross_entropy() {
  const std::vector<int64_t> zero = {0}, one = {1}, two = {0, 1};
  const double ln2 = std::log(2.0);
  // Logits 0 and ln 3: p = 1/4 and 3/4.
  const CrossEntropy quarter = cross_entropy(array({1, 2}, {0, std::log(3.0)}), zero);
  expect("logits 0 and ln 3, label 0: the loss", number(quarter.value),
         {number(2 * ln2),
          "p = 1/4 and 3/4, so the loss is -ln(1/4)",
          {{number(-2 * ln2), "the sign: a loss is positive"},
           {number(0.25), "that is p itself; the loss is -log p"},
           {number(2), "the natural logarithm, please"}}});
  expect(
      "logits 0 and ln 3, label 0: the gradient", quarter.gradient,
      {array({1, 2}, {-0.75, 0.75}),
       "p - 1 at the label, p elsewhere",
       {{array({1, 2}, {0.25, 0.75}), "that is p; 1 is subtracted at the label"},
        {array({1, 2}, {0.75, -0.75}), "the sign: a larger logit of the label lowers the loss"}}});
  const CrossEntropy mean = cross_entropy(array({2, 2}, {0, 0, 0, 0}), two);
  expect("two rows of logits 0 0: the loss", number(mean.value),
         {number(ln2), "the mean of two times ln 2", {{number(2 * ln2), "divide by the rows"}}});
  expect("two rows of logits 0 0: the gradient", mean.gradient,
         {array({2, 2}, {-0.25, 0.25, 0.25, -0.25}),
          "(p - [c = label]) / N",
          {{array({2, 2}, {-0.5, 0.5, 0.5, -0.5}), "the gradient too is divided by the rows"}}});
  const CrossEntropy large = cross_entropy(array({1, 2}, {1000, 1001}), zero);
  const char* overflow = "exp(1000) is infinite; subtract the row's largest logit beforehand";
  expect("logits 1000 and 1001: the loss", number(large.value),
         {number(1 + std::log1p(std::exp(-1.0))), overflow});
  const CrossEntropy far = cross_entropy(array({1, 2}, {1000, -1000}), one);
  expect("logits 1000 and -1000, label 1: the loss", number(far.value),
         {number(2000), "p is 0 here and log 0 infinite; log p = logit - largest - log(sum)"});
  expect("logits 1000 and -1000, label 1: the gradient", far.gradient,
         {array({1, 2}, {1, -1}), overflow});
}

// What weight and velocity are after one step from weight 10, velocity 2, gradient 3.
Array step(const MomentumOptions& o, double gradient = 3) {
  Array weight = number(10), velocity = number(2);
  momentum_step(weight, velocity, number(gradient), o);
  return numbers({weight[0], velocity[0]});
}

void check_momentum() {
  expect("weight 10, velocity 2, gradient 3, rate 0.1, momentum 0: weight and velocity",
         step({.learning_rate = 0.1, .momentum = 0}),
         {numbers({9.7, 3}),
          "without momentum it is plain descent",
          {{numbers({10.3, 3}), "downhill: subtract"}}});
  expect("weight 10, velocity 2, gradient 3, rate 0.1, momentum 0.5",
         step({.learning_rate = 0.1, .momentum = 0.5}),
         {numbers({9.6, 4}),
          "velocity 0.5 * 2 + 3 = 4, weight 10 - 0.1 * 4",
          {{numbers({9.7, 4}), "the weight moves by the velocity, not by the gradient"},
           {numbers({9.8, 4}), "first the velocity, then the weight with the new velocity"},
           {numbers({9.75, 2.5}), "the gradient counts in full: momentum * velocity + g"},
           {numbers({9.87, 1.3}), "the rate is multiplied when the weight moves, not before"}}});
  expect("weight 10, velocity 2, gradient 3, rate 0.1, momentum 0.5, weight decay 0.2",
         step({.learning_rate = 0.1, .momentum = 0.5, .weight_decay = 0.2}),
         {numbers({9.4, 6}),
          "g = 3 + 0.2 * 10 = 5, velocity 0.5 * 2 + 5",
          {{numbers({9.4, 4}), "the decay belongs into g, and so into the velocity"},
           {numbers({9.8, 2}), "the decay is added to the gradient: it pulls weights to 0"}}});
  Array weights = numbers({1, 2}), velocity = numbers({0, 0});
  momentum_step(weights, velocity, numbers({10, 20}), {.learning_rate = 0.1, .momentum = 0.9});
  momentum_step(weights, velocity, numbers({0, 0}), {.learning_rate = 0.1, .momentum = 0.9});
  expect("two weights; two steps, the second without a gradient", weights,
         {numbers({-0.9, -1.8}), "velocity goes on: 1 - 0.1 * 10 - 0.1 * 9"});
}

void check_schedule() {
  const auto rate = [](int64_t step, const Schedule& s) { return number(learning_rate(step, s)); };
  const Schedule cosine{1, 0, 100}, warm{1, 4, 104};
  expect("no warm-up, 100 steps, peak 1: step 0", rate(0, cosine),
         {number(1), "without warm-up the first step has the peak"});
  expect(
      "no warm-up, 100 steps, peak 1: step 50", rate(50, cosine),
      {number(0.5),
       "half-way the cosine is 0, and the rate half of the peak",
       {{number(0), "peak * cos(...) alone would become negative: peak * (1 + cos(pi t)) / 2"},
        {number(std::cos(std::acos(-1.0) / 4)), "half a period: cos(pi t), not cos(pi t / 2)"}}});
  expect("no warm-up, 100 steps, peak 1: step 25", rate(25, cosine),
         {number((1 + std::sqrt(0.5)) / 2),
          "(1 + cos(pi / 4)) / 2",
          {{number(0.75), "that is a straight line"}}});
  expect("no warm-up, 100 steps, peak 3: step 50", rate(50, {3, 0, 100}),
         {number(1.5), "everything is multiplied by peak"});
  expect("4 steps of warm-up, then 100: step 0", rate(0, warm),
         {number(0.25),
          "a quarter of the peak",
          {{number(0), "a step with the rate 0 is wasted: begin with 1 / warmup"}}});
  expect("4 steps of warm-up, then 100: step 3, the last of the warm-up", rate(3, warm),
         {number(1), "(step + 1) / warmup", {{number(0.75), "count from 1: (step + 1) / warmup"}}});
  expect("4 steps of warm-up, then 100: step 4", rate(4, warm),
         {number(1), "the cosine begins behind the warm-up: (step - warmup) / (steps - warmup)"});
  expect("4 steps of warm-up, then 100: step 54", rate(54, warm),
         {number(0.5),
          "half of the 100 steps behind the warm-up",
          {{rate(54, {1, 0, 104}), "the cosine begins behind the warm-up"}}});
}

}  // namespace

int main() {
  Lesson lesson("Lesson 6: training that works");
  lesson.exercise("cross_entropy", check_cross_entropy);
  lesson.exercise("momentum_step", check_momentum);
  lesson.exercise("learning_rate", check_schedule);
  return lesson.finish();
}
