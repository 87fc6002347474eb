#include "limbic/svm/training_kernel.h"

#include <algorithm>
#include <numeric>

#include "limbic/core/parallel.h"

namespace limbic::svm {

TrainingKernel::TrainingKernel(const Tensor& x, const KernelOptions& options,
                               std::span<const int64_t> order)
    : kernel_(std::in_place, x, options, order), budget_bytes_(affordable(options.budget_bytes)) {
  const auto n = static_cast<double>(kernel_->samples());
  if (4 * n * n > static_cast<double>(budget_bytes_)) return;
  whole_ = kernel_->whole();
  kernel_.reset();  // and its copy of the features
}

TrainingKernel::Rows TrainingKernel::rows_of(std::vector<int64_t> samples, double share) const {
  const int64_t n = this->samples();
  if (in_memory())
    return {std::make_unique<WholeRows>(Matrix<const float>{whole_.data(), n, n, n}),
            std::move(samples)};
  std::vector<int64_t> all(samples.size());
  std::iota(all.begin(), all.end(), int64_t{0});
  const auto budget = static_cast<int64_t>(share * static_cast<double>(budget_bytes_));
  return {std::make_unique<CachedRows>(*kernel_, std::move(samples), budget), std::move(all)};
}

Tensor TrainingKernel::values(std::span<const int64_t> rows,
                              std::span<const int64_t> columns) const {
  constexpr int64_t at_once = 256;
  const int64_t n = samples(), m = std::ssize(rows), k = std::ssize(columns);
  Tensor out = Tensor::uninitialised({m, k}), block;
  if (!in_memory()) block = Tensor::uninitialised({std::min(at_once, m), n});
  for (int64_t begin = 0; begin < m; begin += at_once) {
    const int64_t end = std::min(m, begin + at_once);
    if (!in_memory())
      kernel_->compute(rows.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin)),
                       {0, n}, {block.data(), end - begin, n, n});
    parallel_for(end - begin, [&](int64_t i) {
      const int64_t row = rows[static_cast<size_t>(begin + i)];
      const float* values = in_memory() ? whole_.data() + row * n : block.data() + i * n;
      for (int64_t j = 0; j < k; ++j)
        out.data()[(begin + i) * k + j] = values[columns[static_cast<size_t>(j)]];
    });
  }
  return out;
}

}  // namespace limbic::svm
