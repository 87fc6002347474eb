#pragma once
#include <map>
#include <string>
#include <vector>

#include "limbic/nn/graph/graph.h"

namespace limbic {

class Tensor;

/// The range of each activation on real pictures, by the node's name in the fused graph: what int8
/// needs to choose its scales.
using Calibration = std::map<std::string, float>;

struct CalibrationOptions {
  /// Share of a node's values that lie within its range; the few beyond it are clipped.
  double percentile = 0.99999;
};

/// Runs the network in f32 over `batches` (each (N,C,H,W), all of one shape, prepared as for
/// inference) and averages each node's percentile of |value| over them. A few dozen to some hundred
/// real pictures of the kind to be classified are enough. Throws Error without any.
Calibration calibrate(const Graph& graph, const Parameters& parameters,
                      const std::vector<Tensor>& batches, const CalibrationOptions& options = {});

/// Which values of an int8 plan are stored in 8 bits, given that the others are `wide`: u8 behind a
/// ReLU and i8 before a residual sum, wherever all readers can take them, and what a Quantise
/// makes. A convolution computes in int8 if its src has 8 bits. `keep_wide`: nodes that stay as
/// they are.
std::vector<DType> quantised_dtypes(const Graph& graph, const std::vector<Shape>& shapes,
                                    const Calibration& calibration, DType wide,
                                    const std::vector<bool>& keep_wide);

}  // namespace limbic
