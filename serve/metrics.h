#pragma once
#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace limbic::serve {

/// What /metrics tells, in Prometheus' text format 0.0.4.
class Metrics {
 public:
  void count_response(int status);
  /// Pictures of one request, and how long it took from its headers to its answer.
  void count_pictures(size_t pictures, std::chrono::steady_clock::duration time);
  std::string text(size_t waiting) const;

 private:
  static constexpr std::array<double, 10> bounds = {0.005, 0.01, 0.025, 0.05, 0.1,
                                                    0.25,  0.5,  1,     2.5,  10};
  mutable std::mutex mutex_;
  std::map<int, int64_t> responses_;
  int64_t pictures_ = 0, requests_ = 0;
  double seconds_ = 0;
  std::array<int64_t, bounds.size()> within_{};
};

}  // namespace limbic::serve
