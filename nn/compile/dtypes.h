#pragma once
#include "limbic/nn/graph/uses.h"

namespace limbic {

/// How a node's value is stored.
struct Stored {
  DType dtype = DType::f32;
  float scale = 1;  ///< A value is its element times this: not 1 for 8-bit values alone.
};

/// Throws Error where these options cannot be computed on this processor.
void require_dtype(const PlanOptions& options);

/// int8: brings what convolutions read to 8 bits, where it is not stored in them anyway.
Graph quantise(const Graph& graph, const PlanOptions& options);

/// f32 and bf16 plans store pictures (N,C,H,W) in their dtype and rows (N,C) in f32. int8 plans
/// store in 8 bits what convolutions read and can write so: u8 what is never negative, i8 what is
/// added to a sum, and what a Quantise makes; a convolution computes in int8 if its src has 8 bits.
PerNode<Stored> choose_dtypes(const Graph& graph, const PerNode<Shape>& shapes,
                              const PlanOptions& options);

/// Which values of an int8 plan are stored in 8 bits, given that the others are `wide`.
/// `keep_wide`: nodes that stay as they are.
PerNode<DType> quantised_dtypes(const Graph& graph, const PerNode<Shape>& shapes,
                                const Calibration& calibration, DType wide,
                                const PerNode<bool>& keep_wide);

}  // namespace limbic
