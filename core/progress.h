#pragma once
#include <cstdint>
#include <functional>
#include <string>

namespace limbic {

/// Where long work stands. The library reports, whoever called it draws.
struct Progress {
  std::string task;  ///< "epoch 3/10", "extracting features".
  int64_t done = 0, total = 0;
  std::string unit = "img";
  std::string note;  ///< "loss 0.812".
};

/// Called now and then with where the work stands; may throw to stop it.
using ProgressFunction = std::function<void(const Progress&)>;

}  // namespace limbic
