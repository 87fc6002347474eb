#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace limbic::weights {

/// A dictionary of tensors in a file that may hold several.
struct FoundState {
  std::string place;  ///< "state_dict", "ema.module"; empty: the file itself.
  int64_t tensors = 0;
};

struct ChosenState {
  size_t index = 0;
  std::vector<std::string> all;  ///< Places of what may be a network.
  std::string remark;            ///< What was taken in place of what; empty without a choice.
  bool wanted_found = true;      ///< false: there is one network, and not of the wanted place.
};

/// Which of them is the network: the one of place `wanted`, or whose place ends so; else the one
/// that no other comes near in size, timm's EMA, or the likeliest name. Throws Error beginning with
/// `path` where `wanted` is none of several, and where nothing tells them apart.
ChosenState choose_state(const std::vector<FoundState>& states, const std::string& wanted,
                         const std::string& path);

}  // namespace limbic::weights
