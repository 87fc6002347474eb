#pragma once
// twins: the bridge from graphs to the plain twins of reference/, and what one does with it: hold a
// fast op, or a whole network, against the plainest loops there are.
#include <functional>

#include "limbic/nn/plan.h"
#include "limbic/twins/evaluate.h"

namespace limbic::twins {

struct GradientCase {
  std::string name;
  std::function<Value(Graph&)> build;  ///< Appends layers after its own Graph::input.
  Shape input;
  bool batch_statistics = true;
  std::vector<std::string> frozen;
  Twin twin = {};  ///< Of ops that reference/ does not know.
};

/// A tensor that two computations gave: the fast one and the plain one.
struct Comparison {
  std::string what;            ///< "output", "gradient of conv.weight".
  double error = 0;            ///< relative_error of all that was compared.
  int64_t elements = 0;        ///< So many were.
  int64_t worst = 0;           ///< The index, in row order, of the element that is farthest off.
  double fast = 0, plain = 0;  ///< Its values.
};

/// The worst relative errors ||fast - twin|| / ||twin|| over all tensors of a case.
struct GradientErrors {
  double output = 0, gradient = 0, statistics = 0;
  double twin = 0;    ///< Of the twin's own backward, against its central differences.
  std::string worst;  ///< Which gradient was worst.
  std::vector<Comparison> tensors;  ///< The output, and every gradient beside the differences.
};

/// For L = sum(random * output): the fast op's output and running statistics against the f64
/// twin's, and its gradient with respect to the input and every trainable parameter against central
/// differences on the twin, over up to `samples` elements of each tensor; the twin's own backward
/// against the same differences, unless c.twin has none. Everything that the fast op must write is
/// filled with NaN before. Throws Error, naming the op, where one has no twin.
GradientErrors check_gradient(const GradientCase& c, bool fuse, int64_t samples = 400);

/// The same case in another dtype, all elements, against the f32 plan: inputs are rounded to bf16
/// before, so that both see the same largest element of a pooling window.
GradientErrors compare_dtype(const GradientCase& c, DType dtype);

/// What every layer of a graph gives, fast and plain, in order: `plan_options` names input shape
/// and mode; nothing is fused, so that each layer is looked at. Of ops that reference/ does not
/// know `twin` is the plain one. Throws Error, naming the op, where one has none.
std::vector<Comparison> compare_layers(const Graph& graph, const Parameters& parameters,
                                       const Tensor& images, PlanOptions plan_options,
                                       const Twin& twin = {});

/// A line for each tensor, those beyond `bound` marked, with the element to look at first:
///
///     gradient of conv.weight    2.1e-01  TOO FAR  of 150 elements; [17]: 0.4711, plain 0.5231
std::string to_string(const std::vector<Comparison>& tensors, double bound);

/// ||a - b|| / ||b||; infinite where a value of either is not finite.
double relative_error(std::span<const double> a, std::span<const double> b);

}  // namespace limbic::twins
