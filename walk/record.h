#pragma once
#include "limbic/nn/graph/graph.h"
#include "limbic/walk/taps.h"

namespace limbic::walk {

/// What this machine does in a second when nothing is in the way, measured now: the two roofs of a
/// roofline (Williams, Waterman and Patterson 2009).
struct Machine {
  /// Of a convolution in f32 whose numbers lie in the cache, a multiply-add counting as two; of a
  /// recording of its fastest layer, where that was faster.
  double flops = 0;
  double bytes = 0;  ///< Read and written while 64 MB are copied.
  int threads = 0;
};
Machine measure_machine();

/// What one node gave, and what that cost.
struct Layer {
  Tensor value;            ///< (1,C,H,W) or (1,C), f32.
  Tensor gradient;         ///< Of the explained logit, of the same shape; empty behind the logits.
  Tensor weight_gradient;  ///< Of the first parameter; empty where there is none.
  double forward = 0;      ///< Seconds: the fastest of several runs, this node by itself.
  double backward = 0;     ///< The same.
  double roof = 0;         ///< The roofline's seconds of forward.
  int64_t multiply_adds = 0;
  int64_t bytes = 0;  ///< That forward reads and writes at least: sources, weights, output.
  int64_t weight_bytes = 0;
  std::string implementation;  ///< "brgconv:avx512_core", "limbic".
};

/// A picture's way through a network. Node 0 is the picture.
struct Recording {
  Graph graph;  ///< The network's, with a softmax, "probabilities", behind its logits.
  Parameters parameters;
  std::vector<Shape> shapes;  ///< Of each node.
  std::vector<Layer> layers;  ///< The same.
  int64_t explained = 0;      ///< The class whose logit the gradients are of.
  Machine machine;
  double seconds = 0;       ///< Of one picture as Limbic computes it: layers fused, two at once.
  int64_t arena_bytes = 0;  ///< That activations take then.

  int logits() const { return graph.find("logits"); }
  const Tensor& probabilities() const { return layers.back().value; }
};

/// Runs (1,C,H,W) through the network, each node by itself, and the gradient of a class's logit
/// (-1: the most probable class's) back. Batch norm uses its running statistics, dropout does
/// nothing. Throws Error where the network has no convolution, no "logits" (N,C) with two classes
/// or more, or
/// not this class, and where something is not finite.
Recording record(const Graph& graph, const Parameters& parameters, const Tensor& image,
                 int64_t explained = -1);

/// The node of a layer's name or label; throws Error, listing layers, if there is none.
int find_layer(const Recording& r, const std::string& name);

/// Names of the layers of which the walk does not know how they read their sources: "lrn1
/// (local_response_norm)".
std::vector<std::string> not_shown(const Recording& r);

}  // namespace limbic::walk
