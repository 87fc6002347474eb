#pragma once
#include <functional>
#include <string>
#include <vector>

#include "limbic/models/models.h"
#include "limbic/nn/plan.h"

namespace limbic::network {

/// "f32", "bf16", "int8": what activations are stored in, as users write it.
std::string activation_name(DType dtype);
/// The dtype of such a name; f32 for any other.
DType activation_dtype(const std::string& name);
/// f32, and those of bf16 and i8 that this processor has instructions for.
std::vector<DType> dtypes_here();

/// What decides which dtype a network is computed in.
struct DtypeQuestion {
  const models::Model& model;
  const Parameters& parameters;
  PlanOptions options;  ///< Of the plan to be made; its dtype is what is looked for.
  /// Prepared pictures, all batches of one shape: on them int8 is calibrated, and the share is
  /// counted that keeps f32's first class. Asked for once, and only where there is a narrow dtype.
  std::function<std::vector<Tensor>()> pictures;
  double agreement = 0.99;  ///< The least such share that will do, 0 to 1.
};

struct DtypeAnswer {
  PlanOptions options;  ///< The question's, with the dtype and the calibration that it needs.
  std::string reason;   ///< In a line, for the user.
};

/// Index of the fastest of plans that differ in their dtype, calibration included: timed on this
/// machine once, and remembered with the tuning.
size_t fastest_plan(const models::Model& model, const Parameters& parameters,
                    const std::vector<PlanOptions>& options);

/// The fastest of `candidates` (f32 among them) that keeps the agreement. Throws Error.
DtypeAnswer choose_dtype(const DtypeQuestion& question,
                         const std::vector<DType>& candidates = dtypes_here(),
                         decltype(fastest_plan)& fastest = fastest_plan);

}  // namespace limbic::network
