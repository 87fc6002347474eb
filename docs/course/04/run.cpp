// Batch norm by hand, and thirty layers that train or do not.
#include "deep.h"

using namespace limbic::course;

namespace {

void print(const char* title, const Array& a) {
  std::printf("%-10s", title);
  for (const double x : a.values) std::printf(" %8.4f", x);
  std::printf("\n");
}

void print_example() {
  const Array src = array({3, 1}, {1, 3, 5}), one = number(1), dy = array({3, 1}, {1, 0, 0});
  limbic::reference::Moments running{number(0), number(1)};
  print("src", src);
  print("dst", limbic::reference::batch_norm(src, one, number(0), running, {}));
  print("dy", dy);
  print("gradient", limbic::reference::batch_norm_backward(src, one, {}, dy).src);
}

void print_sizes(const char* name, Kind kind) {
  const Sizes s = sizes(kind);
  std::printf("%-22s values %.0e -> %.0e, gradients %.0e <- %.0e\n", name, s.values.front(),
              s.values.back(), s.gradients.front(), s.gradients.back());
}

void print_training(const char* name, Kind kind) {
  limbic::reference::Random training(3);
  Deep net(kind, 2);
  std::printf("%-22s mean loss", name);
  for (int part = 0; part < 5; ++part) {
    double mean = 0;
    for (int step = 0; step < 60; ++step) mean += net.step(draw_glyphs(32, training)) / 60;
    std::printf(" %.3f", mean);
  }
  std::printf("\n");
}

}  // namespace

int main() {
  print_example();
  std::printf("\n%d layers, untrained, behind the first and the last block:\n", 2 * Deep::blocks);
  print_sizes("plain", Kind::plain);
  print_sizes("batch norm", Kind::batch_norm);
  print_sizes("batch norm, residual", Kind::residual);
  std::printf("\n300 steps of training, 60 by 60:\n");
  print_training("plain", Kind::plain);
  print_training("batch norm", Kind::batch_norm);
  print_training("batch norm, residual", Kind::residual);
}
