#include "limbic/train/auxiliary.h"

#include <algorithm>

namespace limbic::train {

int64_t AuxiliaryLoss::groups() const {
  return group.empty() ? 0 : *std::max_element(group.begin(), group.end()) + 1;
}

Tensor columns(const Tensor& rows, int64_t begin, int64_t end) {
  const int64_t n = rows.dim(0), width = rows.dim(1);
  if (begin == 0 && end == width) return rows;
  Tensor out({n, end - begin});
  for (int64_t i = 0; i < n; ++i)
    std::copy_n(rows.data() + i * width + begin, end - begin, out.data() + i * (end - begin));
  return out;
}

double softmax_cross_entropy(const Tensor& logits, std::span<const int64_t> labels,
                             std::span<float> diff, const CrossEntropyOptions& options,
                             double normaliser, const AuxiliaryLoss& auxiliary) {
  if (auxiliary.group.empty())
    return softmax_cross_entropy(logits, labels, diff, options, normaliser);
  const int64_t n = logits.dim(0), width = logits.dim(1), classes = std::ssize(auxiliary.group);
  require(width == classes + auxiliary.groups(), "auxiliary loss: expected ",
          classes + auxiliary.groups(), " logits, got ", width);
  std::vector<int64_t> groups;
  for (const int64_t label : labels)
    groups.push_back(label < 0 ? label : auxiliary.group.at(static_cast<size_t>(label)));
  const Tensor first = columns(logits, 0, classes), second = columns(logits, classes, width);
  std::vector<float> of_first(static_cast<size_t>(first.size())),
      of_second(static_cast<size_t>(second.size()));
  const double loss =
      softmax_cross_entropy(first, labels, of_first, options, normaliser) +
      auxiliary.weight * softmax_cross_entropy(second, groups, of_second, {}, normaliser);
  if (diff.empty()) return loss;
  require(std::ssize(diff) == logits.size(), "auxiliary loss: the gradient has another size");
  for (int64_t i = 0; i < n; ++i) {
    float* row = diff.data() + i * width;
    std::copy_n(of_first.data() + i * classes, classes, row);
    for (int64_t j = classes; j < width; ++j)
      row[j] = static_cast<float>(auxiliary.weight) *
               of_second[static_cast<size_t>(i * (width - classes) + j - classes)];
  }
  return loss;
}

}  // namespace limbic::train
