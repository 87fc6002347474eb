#pragma once
#include <functional>

#include "limbic/nn/plan.h"
#include "tests/reference/evaluate.h"

namespace limbic {

struct GradientCase {
  std::string name;
  std::function<Value(Graph&)> build;  ///< Appends layers after its own Graph::input.
  Shape input;
  bool batch_statistics = true;
  std::vector<std::string> frozen;
  naive::Twin twin = {};  ///< Of ops that reference/ does not know.
};

/// The worst relative errors ||fast - twin|| / ||twin|| over all tensors of a case.
struct GradientErrors {
  double output = 0, gradient = 0, statistics = 0;
  double twin = 0;    ///< Of the twin's own backward, against its central differences.
  std::string worst;  ///< Which gradient was worst.
};

/// For L = sum(random * output): the fast op's output and running statistics against the f64
/// twin's, and its gradient with respect to the input and every trainable parameter against central
/// differences on the twin, over up to `samples` elements of each tensor; the twin's own backward
/// against the same differences, unless c.twin has none. Everything that the fast op must write is
/// filled with NaN before.
GradientErrors check_gradient(const GradientCase& c, bool fuse, int64_t samples = 400);

/// The same case in another dtype, all elements, against the f32 plan: inputs are rounded to bf16
/// before, so that both see the same largest element of a pooling window.
GradientErrors compare_dtype(const GradientCase& c, DType dtype);

/// ||a - b|| / ||b||; infinite where a value of either is not finite.
double relative_error(std::span<const double> a, std::span<const double> b);

}  // namespace limbic
