#include "limbic/baselines/mi_svm.h"

#include <algorithm>
#include <numeric>

#include "limbic/core/parallel.h"
#include "limbic/core/random.h"

namespace limbic::baselines {
namespace {

// Instances of the class's bags become what the SVM says; returns whether one changed.
bool impute(const Bags& bags, const std::vector<int64_t>& labels, int64_t c, const LinearSvm& svm,
            std::vector<int8_t>& y, std::vector<double>& alpha) {
  bool changed = false;
  const int64_t d = bags.x.dim(1);
  for (int64_t b = 0; b < std::ssize(labels); ++b) {
    if (labels[static_cast<size_t>(b)] != c) continue;
    std::vector<double> f;
    for (int64_t i = b * bags.size; i < (b + 1) * bags.size; ++i)
      f.push_back(svm.decision(bags.x.data() + i * d));
    const auto best = std::max_element(f.begin(), f.end()) - f.begin();
    for (int64_t i = 0; i < bags.size; ++i) {
      const int8_t now = f[static_cast<size_t>(i)] > 0 || i == best ? 1 : -1;
      const auto row = static_cast<size_t>(b * bags.size + i);
      if (y[row] == now) continue;
      changed = true;
      y[row] = now;
      alpha[row] = 0;
    }
  }
  return changed;
}

LinearSvm train_class(const Bags& bags, const std::vector<int64_t>& labels, int64_t c,
                      const MiSvmOptions& o) {
  std::vector<int64_t> rows(static_cast<size_t>(bags.x.dim(0)));
  std::iota(rows.begin(), rows.end(), int64_t{0});
  std::vector<int8_t> y;
  for (const int64_t label : labels)
    y.insert(y.end(), static_cast<size_t>(bags.size), label == c ? 1 : -1);
  std::vector<double> alpha(rows.size());
  const auto positive = static_cast<double>(std::count(labels.begin(), labels.end(), c));
  const double others = static_cast<double>(labels.size()) - positive;
  LinearSvmOptions options{.C = o.C,
                           .positive_weight = std::max(1.0, others / positive),
                           .max_passes = 100,
                           .seed = combine(o.seed, static_cast<uint64_t>(c))};
  LinearSvm svm;
  for (int64_t round = 0; round < o.max_rounds; ++round) {
    svm = train_linear_svm({bags.x, rows, y}, options, &alpha);
    if (!impute(bags, labels, c, svm, y, alpha)) break;
  }
  return svm;
}

}  // namespace

LinearClassifier train_mi_svm(const Bags& bags, const std::vector<int64_t>& labels, int64_t classes,
                              const MiSvmOptions& options) {
  require(bags.size >= 1 && bags.x.rank() == 2 && bags.x.dim(0) == std::ssize(labels) * bags.size,
          "mi-SVM: expected ", labels.size(), " bags of ", bags.size, " rows, got ",
          to_string(bags.x.shape()));
  const int64_t d = bags.x.dim(1);
  LinearClassifier out{Tensor({classes, d}), Tensor({classes}), true};
  parallel_for_dynamic(classes, [&](int64_t c) {
    if (std::count(labels.begin(), labels.end(), c) == 0) {
      out.bias.data()[c] = std::numeric_limits<float>::lowest();
      return;
    }
    const LinearSvm svm = train_class(bags, labels, c, options);
    for (int64_t j = 0; j < d; ++j)
      out.weight.data()[c * d + j] = static_cast<float>(svm.w[static_cast<size_t>(j)]);
    out.bias.data()[c] = static_cast<float>(svm.w.back());
  });
  return out;
}

std::vector<int64_t> predict_bags(const LinearClassifier& classifier, const Bags& bags) {
  std::vector<int64_t> out;
  if (bags.x.empty()) return out;
  const Tensor scores = classifier.decisions(bags.x);
  const int64_t classes = scores.dim(1), row = bags.size * classes;
  for (int64_t b = 0; b < bags.x.dim(0) / bags.size; ++b) {
    const float* begin = scores.data() + b * row;
    out.push_back((std::max_element(begin, begin + row) - begin) % classes);
  }
  return out;
}

}  // namespace limbic::baselines
