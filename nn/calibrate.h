#pragma once
#include <vector>

#include "limbic/nn/graph/graph.h"
#include "limbic/nn/graph/plan_options.h"

namespace limbic {

struct CalibrationOptions {
  /// Share of a node's values that lie within its range; the few beyond it are clipped.
  double percentile = 0.99999;
};

/// Runs the network in f32 over `batches` (each (N,C,H,W), all of one shape, prepared as for
/// inference) and averages each node's percentile of |value| over them. A few dozen to some hundred
/// real pictures of the kind to be classified are enough. Throws Error without any.
Calibration calibrate(const Graph& graph, const Parameters& parameters,
                      const std::vector<Tensor>& batches, const CalibrationOptions& options = {});

}  // namespace limbic
