// Builds a small residual network out of layer functions and prints what it computes.
//
// A network is a Graph: nodes in the order in which they run. Layer functions append to it. Each
// takes Values (outputs of earlier nodes) and gives a new one, so a network is written as if it
// were calculated. Nothing is computed here; that begins with a Plan.
#include <cstdio>

#include "limbic/nn/ops/add.h"
#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/ops/conv2d.h"
#include "limbic/nn/ops/linear.h"
#include "limbic/nn/ops/pool2d.h"
#include "limbic/nn/ops/activation.h"
#include "limbic/nn/plan.h"

using namespace limbic;

// A convolution that keeps height and width (divided by the stride), then batch normalisation. The
// Scope names the layers, and with them their parameters: "stage1.conv1.weight".
Value conv_norm(const Scope& s, const char* number, Value x, int64_t channels, int64_t stride) {
  x = conv2d(
      s / (std::string("conv") + number), x,
      {.out_channels = channels, .kernel_size = 3, .stride = stride, .padding = 1, .bias = false});
  return batch_norm(s / (std::string("bn") + number), x);
}

// relu(F(x) + x): the block learns what to add to its input (He et al. 2015). Where its shape
// changes, a 1x1 convolution brings the input into the new one.
Value residual_block(const Scope& s, Value x, int64_t channels, int64_t stride) {
  Value shortcut = x;
  if (stride != 1 || x.channels() != channels)
    shortcut =
        conv2d(s / "shortcut", x, {.out_channels = channels, .stride = stride, .bias = false});
  x = relu(conv_norm(s, "1", x, channels, stride));
  x = conv_norm(s, "2", x, channels, 1);
  return relu(add(x, shortcut));
}

int main() {
  Graph graph;
  const Scope root = graph.root();
  Value x = graph.input(3);  // pictures (N,3,H,W) of any size
  x = relu(conv_norm(root / "stem", "", x, 16, 1));
  x = residual_block(root / "stage1", x, 16, 1);
  x = residual_block(root / "stage2", x, 32, 2);
  x = residual_block(root / "stage3", x, 64, 2);
  x = global_avg_pool(x);      // (N,64): the mean of each channel
  graph.label("features", x);  // a label makes a value readable after a run
  graph.label("logits", linear(root / "fc", x, {.out_features = 10}));

  // The same graph runs at any batch and picture size: shapes follow from the input's.
  const Shape input = {4, 3, 32, 32};
  const auto shapes = graph.infer(input);
  std::printf("%-22s %-16s %s\n", "layer", "operation", "output");
  for (size_t i = 0; i < shapes.size(); ++i) {
    const Node& node = graph.nodes()[i];
    std::printf("%-22s %-16s %s\n", node.name.c_str(), node.op ? node.op->type() : "",
                to_string(shapes[i]).c_str());
  }

  // Parameters live beside the graph, by name. A Plan compiles both for one input shape: it picks
  // layouts, fuses layers, and places all activations in one block of memory.
  const Parameters parameters = graph.initialise(0);
  Plan plan(graph, parameters, PlanOptions::inference(input));
  plan.run(Tensor(input));
  std::printf("\n%ld trainable parameters; activations in %ld KiB\n",
              parameters.trainable_elements(), plan.arena_bytes() / 1024);
  std::printf("logits of four black pictures: %s\n",
              to_string(plan.output("logits").shape()).c_str());
  return 0;
}
