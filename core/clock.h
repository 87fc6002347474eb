#pragma once
#include <chrono>

namespace limbic {

/// Seconds on a clock that never runs back, from an arbitrary start: for differences.
inline double now() {
  using clock = std::chrono::steady_clock;
  return std::chrono::duration<double>(clock::now().time_since_epoch()).count();
}

}  // namespace limbic
