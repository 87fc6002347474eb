#pragma once
#include "limbic/models/models.h"

namespace limbic::baselines {

/// Two copies of a network up to its features, side by side over one picture, the second's names
/// under "assistant."; the layer "head" reads both features: "logits" (N, classes + groups).
/// "features" and the stages are the first copy's.
models::Model two_towers(const models::Model& single, int64_t classes, int64_t groups);

/// Values of `from` for each parameter of the towers that it has, by name; the head stays fresh.
/// Throws Error where a shape differs.
void fill_towers(const Parameters& from, Parameters& towers);

}  // namespace limbic::baselines
