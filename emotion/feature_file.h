#pragma once
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "limbic/core/tensor.h"
#include "limbic/io/dataset.h"

namespace limbic::emotion {

/// Features of pictures that something else has computed, by path: what `limbic extract` writes,
/// or any .safetensors file with `features` (N,D) in F32, F16, BF16 or F64, and in its metadata
/// `paths`, a JSON list of N strings. The order is free.
class FeatureFile {
 public:
  /// Throws Error for a file that is no such, has a path twice, or values that are not finite.
  explicit FeatureFile(const std::string& path);

  const std::string& path() const { return path_; }
  const std::string& hash() const { return hash_; }  ///< SHA-256 of the file.
  int64_t width() const { return features_.dim(1); }
  /// The row of a picture, found by its path as it is, else by the folder and file name that it
  /// ends in, where these are one picture's alone; empty where there is none.
  std::span<const float> find(const std::string& picture) const;
  /// Throws Error, naming the first, where pictures of the data set have no row and can be read.
  void require_rows(const io::Dataset& data) const;

 private:
  std::string path_, hash_;
  Tensor features_;
  std::unordered_map<std::string, int64_t> by_path_, by_end_;  // by_end_: -1 where two end so
};

}  // namespace limbic::emotion
