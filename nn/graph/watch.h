#pragma once
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace limbic {

/// Seconds that a node took, summed over runs.
struct NodeTime {
  std::string name, type, implementation;
  double forward = 0, backward = 0;
};

/// What somebody looks at while a plan runs.
struct Watch {
  /// Called after each node with its output, unless that is stored in 8 bits.
  std::function<void(const std::string& name, std::span<const float> values)> observer;
  bool profiling = false;
  std::vector<NodeTime> profile;  ///< Of each node of the program.
};

}  // namespace limbic
