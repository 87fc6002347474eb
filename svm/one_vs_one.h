#pragma once
#include <span>
#include <vector>

#include "limbic/svm/smo.h"
#include "limbic/svm/svc.h"

namespace limbic::svm {

/// Samples by class: members[c] are the rows whose label is labels[c], in their order.
struct ClassRows {
  std::vector<int> labels;
  std::vector<std::vector<int64_t>> members;

  int64_t size() const { return static_cast<int64_t>(labels.size()); }
};

/// Groups `rows` by label, classes in LIBSVM's order (see SvcModel::classes).
ClassRows group_by_class(std::span<const int> labels, std::span<const int64_t> rows);

/// Samples sorted by class, so that a pair's kernel values lie together: sample i is row order[i].
struct SortedSamples {
  ClassRows classes;  ///< Of samples.
  std::vector<int64_t> order;
};
/// Throws Error where there are none.
SortedSamples sort_by_class(std::span<const int> labels);

/// Calls use(pair, i, j) for all class pairs i < j of k in LIBSVM's order.
template <class Use>
void for_each_pair(int64_t k, Use&& use) {
  int64_t pair = 0;
  for (int64_t i = 0; i < k; ++i)
    for (int64_t j = i + 1; j < k; ++j) use(pair++, i, j);
}

/// Throws Error unless decisions are finite, F64 (m, pairs of the model).
void check_decisions(const SvcModel& model, const Tensor& decisions);

/// Decision values over kernel values F32 (m, total support vectors) -> F64 (m, pairs).
Tensor decisions_from_kernel(const SvcModel& model, const Tensor& kernel);

}  // namespace limbic::svm
