#pragma once
#include <map>
#include <optional>
#include <string>

#include "limbic/svm/libsvm_format.h"

namespace limbic::cli {

/// Values from [min, max] go to [lower, upper].
struct Range {
  double min = 0, max = 0, lower = -1, upper = 1;

  bool varies() const { return min < max; }
  double scaled(double value) const {
    return value == min   ? lower
           : value == max ? upper
                          : lower + (upper - lower) * (value - min) / (max - min);
  }
};

/// LIBSVM's range file: where targets are scaled "y", "lower upper", "min max"; then "x",
/// "lower upper", and "index min max" for each feature that varies.
struct Ranges {
  std::optional<Range> target;
  double lower = -1, upper = 1;
  std::map<int64_t, Range> features;  ///< By index; one that never varies says nothing.
};

/// Writes them atomically.
void save_ranges(const Ranges& ranges, const std::string& path);
/// Reads what save_ranges and LIBSVM's svm-scale wrote, for data of these columns. `lacking` names
/// features of the data that the file has not. Throws Error "PATH: ..." for anything else.
Ranges restore_ranges(const std::string& path, const svm::SvmData& data, std::string& lacking);

}  // namespace limbic::cli
