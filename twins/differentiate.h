#pragma once
// Reverse-mode differentiation of a graph by the backward twins of reference/.
#include "limbic/twins/evaluate.h"

namespace limbic::twins {

/// Of L = sum(diff * value of node `loss`): its derivative with respect to every node's value
/// (empty where L does not depend on it) and to every trainable parameter, by full name.
struct Derivatives {
  std::vector<Array> values;
  Arrays parameters;
};

/// `values` and `parameters` as `evaluate` gave and took them (running statistics before the run).
/// Where a maximum or a ReLU has a kink, the derivative is the one that the ops document: ReLU's is
/// 0 at 0 and at the cap, a maximum's goes to the first of equals. Throws Error where an op's twin
/// has no backward.
Derivatives differentiate(const Graph& graph, const Arrays& parameters,
                          const std::vector<Array>& values, int loss, const Array& diff,
                          const Mode& mode);

/// How near the evaluated graph is to a kink: the smallest distance of a ReLU's input from 0 or its
/// cap, and of a pooling window's two largest elements, over the largest of that node's values.
/// Below the rounding of the computation that is compared with, derivatives say nothing.
double distance_from_kinks(const Graph& graph, const std::vector<Array>& values);

}  // namespace limbic::twins
