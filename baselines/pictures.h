#pragma once
#include <functional>
#include <string>
#include <vector>

#include "limbic/baselines/grey.h"
#include "limbic/core/progress.h"
#include "limbic/core/tensor.h"
#include "limbic/io/dataset.h"

namespace limbic::baselines {

/// Feature vectors of the pictures of a data set that can be read, in its order.
struct Features {
  Tensor x;                      ///< F32 (N,d).
  std::vector<int64_t> labels;   ///< N
  std::vector<int64_t> indices;  ///< N, into Dataset::samples.
};

/// The picture upright, its long side at most `longest` pixels (bilinear; 0: as it came), a small
/// one as it is. Throws Error, as io::decode_file does.
io::Picture read_picture(const std::string& path, int64_t longest);

/// use(sample, picture) for each picture that can be read, in parallel. Returns which these are.
std::vector<int64_t> for_each_picture(
    const io::Dataset& data, int64_t longest, const char* task, const ProgressFunction& progress,
    const std::function<void(size_t sample, const io::Picture& picture)>& use);

/// One vector a picture, all equally long.
using FeatureFunction = std::function<std::vector<float>(const io::Picture&)>;
Features extract(const io::Dataset& data, int64_t longest, const FeatureFunction& features,
                 const ProgressFunction& progress);

/// Labels of all samples from those of the readable ones; -1 for the others.
std::vector<int64_t> spread(const std::vector<int64_t>& labels, const std::vector<int64_t>& indices,
                            int64_t samples);

/// Rows of a above those of b, which may be empty.
Tensor stack_rows(const Tensor& a, const Tensor& b);

/// Throws Error unless pictures of two classes could be read.
void require_two_classes(const std::vector<int64_t>& labels, const io::Dataset& data);

}  // namespace limbic::baselines
