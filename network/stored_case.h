#pragma once
#include <map>
#include <string>
#include <vector>

#include "limbic/models/models.h"
#include "limbic/network/network.h"

namespace limbic::network {

/// A converted checkpoint carries two small pictures and what the network said of them where it was
/// written, so that another machine, another library or another dtype can be held against that:
/// "limbic.case.images" (2,3,S,S) f32 as the network sees them, "limbic.case.features" (2,D) and
/// "limbic.case.logits" (2,classes). S is 64, or the network's own size where that is smaller.
/// Computed in f32 without Winograd and without timing.
std::map<std::string, Tensor> make_stored_case(const models::Model& model,
                                               const Parameters& parameters);

/// One way of computing the stored case, and how far it came from what is stored.
struct CaseResult {
  std::string dtype;                ///< "f32", "bf16", "int8".
  bool tuned = false;               ///< Algorithms chosen by timing.
  std::string refused;              ///< Why this processor cannot; empty: it did.
  double features = 0, logits = 0;  ///< ||a-b|| / ||b||.
  bool same_classes = false;        ///< Each picture's most probable class is the stored one.
  double limit = 0;                 ///< Of `logits`: 1e-4, 5e-2, 0.5.

  bool passed() const { return refused.empty() && logits <= limit; }
};

/// Runs the stored case in every dtype, untuned and tuned. int8 is calibrated on its two pictures.
/// Throws Error where the checkpoint holds no case or one that does not fit the network.
std::vector<CaseResult> run_stored_case(const Network& network);

/// The same in f32 alone; throws Error, with the difference, where it is above the limit.
void check_stored_case(const Network& network);

}  // namespace limbic::network
