#pragma once
#include <optional>
#include <string>

#include "limbic/nn/plan.h"
#include "tests/generators/recipe.h"

namespace limbic::generators {

/// How one plan over a random network is made. Values and layers by their number in the recipe.
struct Setting {
  bool training = false, batch_statistics = false;
  bool fuse = true, winograd = true, rebuild = false;
  DType dtype = DType::f32;
  int threads = 2;
  std::vector<int> keep = {}, keep_gradients = {};  ///< Values.
  std::vector<std::string> frozen = {};
  int loss = 1;  ///< A value.

  std::string code(const Recipe& recipe) const;
};

/// Settings of every mode for one network, drawn.
std::vector<Setting> settings_for(const Recipe& recipe, uint64_t seed, DType dtype);

/// What was seen while comparing.
struct Tally {
  int64_t plans = 0, tensors = 0;
  int64_t cancelling = 0;  ///< Beyond the limit, but no further than plain rounding takes them.
  int64_t at_kinks = 0;  ///< Networks of which no data were found whose gradients can be compared.
  double worst_output = 0, worst_gradient = 0;
};

/// Runs the plan on data drawn from `seed`, every byte that a kernel may write poisoned before, and
/// compares outputs, gradients and running statistics with the twins in f64: ||a - b|| / ||b||
/// below 1e-4 and 1e-3 in f32 and 4e-2 for outputs in bf16; where rounding every op's result to the
/// dtype moves the twin itself by more than a hundredth of that, below 100 times as far. Says what
/// is wrong, or nothing. Networks that do not build are no failure.
std::optional<std::string> failure(const Recipe& recipe, const Setting& setting, uint64_t seed,
                                   Tally& tally);

}  // namespace limbic::generators
