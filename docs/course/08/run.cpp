// Two points by hand, two moons, and digits: an SVM on pixels and on what a network makes of them.
#include <cstdio>

#include "moons.h"
#include "reference/lenet.h"
#include "smo.h"

using namespace limbic::course;
using namespace limbic::reference;

namespace {

void print_two_points() {
  const Array kernel = array({2, 2}, {4, 0, 0, 0});  // x = 2 and 0, K = x x'
  for (const double C : {10.0, 0.3}) {
    const Svm svm = solve(kernel, {1, -1}, C);
    std::printf("two points, C = %g: alpha %g and %g, bias %g, decisions %g and %g\n", C,
                svm.variables[0].alpha, svm.variables[1].alpha, svm.bias, decision(svm, kernel, 0),
                decision(svm, kernel, 1));
  }
}

void print_moons() {
  const Moons moons = draw_moons(200, 1), others = draw_moons(1000, 2);
  const Array kernel = rbf_kernel(moons.points, moons.points, 2);
  const Array to_others = rbf_kernel(moons.points, others.points, 2);
  std::printf("\ntwo moons, 200 points, gamma 2:\n");
  for (const double C : {0.1, 1.0, 10.0, 1000.0}) {
    const Svm svm = solve(kernel, moons.labels, C);
    int right = 0;
    for (int64_t i = 0; i < 1000; ++i)
      right += (decision(svm, to_others, i) > 0) == (others.labels[static_cast<size_t>(i)] > 0);
    std::printf("C = %6g: %3d support vectors, %5d iterations, right on %.1f %% of 1000 others\n",
                C, support_vectors(svm), svm.iterations, right / 10.0);
  }
}

/// The 84 values in front of LeNet's last layer.
Array features_of(const LeNet& net, const Array& images) {
  const auto p = [&](const char* name) -> const Array& { return net.parameters.at(name); };
  Array x =
      max_pool2d(relu(conv2d(images, p("conv1.weight"), p("conv1.bias"), {.padding = 2})), {});
  x = flatten(max_pool2d(relu(conv2d(x, p("conv2.weight"), p("conv2.bias"), {})), {}));
  x = relu(linear(x, p("fc1.weight"), p("fc1.bias")));
  return relu(linear(x, p("fc2.weight"), p("fc2.bias")));
}

/// 1 / (D * variance), as scikit-learn's "scale".
double usual_gamma(const Array& features) {
  double mean = 0, squares = 0;
  const auto n = static_cast<double>(features.values.size());
  for (const double x : features.values) mean += x / n, squares += x * x / n;
  return 1 / (static_cast<double>(features.shape[1]) * (squares - mean * mean));
}

/// An SVM for each digit against the others; the largest decision wins.
double share_right(const Array& known, const std::vector<int64_t>& labels, const Array& asked,
                   const std::vector<int64_t>& answers) {
  const double gamma = usual_gamma(known);
  const Array kernel = rbf_kernel(known, known, gamma), to_asked = rbf_kernel(known, asked, gamma);
  Array decisions({asked.shape[0], 10});
  for (int64_t digit = 0; digit < 10; ++digit) {
    std::vector<double> y;
    for (const int64_t label : labels) y.push_back(label == digit ? 1 : -1);
    const Svm svm = solve(kernel, y, 10);
    for (int64_t i = 0; i < asked.shape[0]; ++i)
      decisions.at(i, digit) = decision(svm, to_asked, i);
  }
  int64_t right = 0;
  for (int64_t i = 0; i < asked.shape[0]; ++i) {
    int64_t best = 0;
    for (int64_t c = 1; c < 10; ++c)
      if (decisions.at(i, c) > decisions.at(i, best)) best = c;
    right += best == answers[static_cast<size_t>(i)];
  }
  return 100.0 * static_cast<double>(right) / static_cast<double>(asked.shape[0]);
}

void print_digits() {
  Random training(1), random(2);
  LeNet net(3);
  for (int step = 0; step < 80; ++step)
    net.step(draw_glyphs(16, training), {.learning_rate = 0.01, .momentum = 0.9});
  const Glyphs asked = draw_glyphs(500, random);
  std::printf("\ndigits, right on 500 others:\n");
  for (const int64_t n : {50, 100, 200}) {
    const Glyphs known = draw_glyphs(n, random);
    std::printf(
        "%3d known: SVM on 784 pixels %.1f %%, on LeNet's 84 features %.1f %%\n",
        static_cast<int>(n),
        share_right(flatten(known.images), known.labels, flatten(asked.images), asked.labels),
        share_right(features_of(net, known.images), known.labels, features_of(net, asked.images),
                    asked.labels));
  }
}

}  // namespace

int main() {
  print_two_points();
  print_moons();
  print_digits();
}
