#include "limbic/explain/emotion.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "limbic/nn/ops/softmax.h"

namespace limbic::explain {
namespace {

// The mean decision value for a class over the pairs that it stands in.
double mean_decision(const svm::SvcModel& svm, const Tensor& x, int64_t c) {
  const Tensor decisions = svm::decision_values(svm, x);
  double sum = 0;
  int64_t pairs = 0, p = 0;
  for (size_t i = 0; i < svm.classes.size(); ++i)
    for (size_t j = i + 1; j < svm.classes.size(); ++j, ++p) {
      if (svm.classes[i] != c && svm.classes[j] != c) continue;
      sum += (svm.classes[i] == c ? 1 : -1) * decisions.data<double>()[p];
      ++pairs;
    }
  require(pairs > 0, "the SVM knows no class ", c, ": it had no picture in training");
  return sum / static_cast<double>(pairs);
}

std::vector<Decision::Neighbour> nearest(const svm::SvcModel& svm, const Tensor& x, int64_t most) {
  std::vector<Decision::Neighbour> out;
  const int64_t d = svm.features();
  size_t owner = 0;
  int64_t end = svm.n_sv.empty() ? 0 : svm.n_sv[0];
  for (int64_t i = 0; i < svm.support_vectors.dim(0); ++i) {
    while (i >= end) end += svm.n_sv[++owner];
    double sum = 0;
    for (int64_t k = 0; k < d; ++k) {
      const double difference = double{svm.support_vectors.data()[i * d + k]} - double{x.data()[k]};
      sum += difference * difference;
    }
    const int64_t index =
        svm.support_indices.empty() ? i : svm.support_indices[static_cast<size_t>(i)];
    out.push_back({index, i, svm.classes[owner], std::sqrt(sum)});
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const auto& a, const auto& b) { return a.distance < b.distance; });
  out.resize(std::min(out.size(), static_cast<size_t>(most)));
  return out;
}

}  // namespace

Decision explain_decision(const emotion::EmotionModel& model, const std::vector<Tensor>& blocks,
                          int64_t c, int64_t neighbours) {
  const emotion::FusionClassifier& k = model.classifier;
  const std::vector<std::string> roles = model.roles();
  require(c >= 0 && c < std::ssize(model.classes), "class ", c, ": expected 0 to ",
          model.classes.size() - 1);
  Decision out;
  out.prediction = emotion::classify(k, roles, blocks, std::ssize(model.classes));
  const Tensor x = svm::apply_scaler(k.scaler, emotion::join_blocks(blocks),
                                     emotion::block_weights(k.fusion, roles));
  out.decision = mean_decision(k.svm, x, c);
  // A scaler that has learnt has centres; its mean, scaled, is 0.
  const bool centred =
      std::any_of(k.scaler.centre.begin(), k.scaler.centre.end(), [](double v) { return v != 0; });
  const Tensor& vectors = k.svm.support_vectors;
  for (const svm::FeatureBlock& block : k.scaler.blocks) {
    const Tensor without = x.clone();
    for (int64_t j = block.begin; j < block.begin + block.width; ++j) {
      double mean = 0;
      for (int64_t i = 0; !centred && i < vectors.dim(0); ++i)
        mean +=
            double{vectors.data()[i * vectors.dim(1) + j]} / static_cast<double>(vectors.dim(0));
      without.data()[j] = static_cast<float>(mean);
    }
    out.contributions.push_back(
        {block.name, block.width, out.decision - mean_decision(k.svm, without, c)});
  }
  out.neighbours = nearest(k.svm, x, neighbours);
  return out;
}

BranchHead head_of(const emotion::EmotionModel& model, size_t b,
                   const std::vector<Tensor>& blocks) {
  const emotion::Branch& branch = model.branches.at(b);
  const network::Network& n = branch.network;
  const bool same_classes =
      n.labels.empty() ? n.model.classes == std::ssize(model.classes) : n.labels == model.classes;
  if (!branch.softmax && n.has_classifier && same_classes) return {{}, true};

  // What the dense layer makes of the block's values r: base + W ((r - centre) factor + offset) w,
  // which is constant + slope r for each class.
  const emotion::FusionClassifier& k = model.classifier;
  const svm::FeatureBlock& block = k.scaler.blocks.at(b);
  const std::vector<double> weights = emotion::block_weights(k.fusion, model.roles());
  const Tensor x = svm::apply_scaler(k.scaler, emotion::join_blocks(blocks), weights);
  const int64_t classes = k.dense.weight.dim(0), d = k.dense.weight.dim(1);
  struct Affine {
    std::vector<double> constant;
    std::vector<std::vector<double>> slope;
    bool softmax;

    std::vector<float> values(std::span<const float> row) const {
      std::vector<float> r(row.begin(), row.end());
      if (softmax) softmax_rows(r, std::ssize(r), r);
      return r;
    }
  };
  Affine a{std::vector<double>(static_cast<size_t>(classes)), {}, branch.softmax};
  for (int64_t c = 0; c < classes; ++c) {
    double& constant = a.constant[static_cast<size_t>(c)];
    constant = double{k.dense.bias.data()[c]};
    auto& slope = a.slope.emplace_back();
    for (int64_t j = 0; j < d; ++j) {
      const double w = double{k.dense.weight.data()[c * d + j]};
      const auto s = static_cast<size_t>(j);
      if (j < block.begin || j >= block.begin + block.width) {
        constant += w * double{x.data()[j]};
        continue;
      }
      constant += w * weights[b] * (k.scaler.offset[s] - k.scaler.centre[s] * k.scaler.factor[s]);
      slope.push_back(w * weights[b] * k.scaler.factor[s]);
    }
  }
  Head head{.at = branch.layer};
  head.logits = [a](std::span<const float> row) {
    const std::vector<float> r = a.values(row);
    std::vector<double> out = a.constant;
    for (size_t c = 0; c < out.size(); ++c)
      for (size_t j = 0; j < r.size(); ++j) out[c] += a.slope[c][j] * double{r[j]};
    return out;
  };
  head.gradient = [a](std::span<const float> row, int64_t c) {
    const std::vector<float> r = a.values(row);
    const std::vector<double>& slope = a.slope[static_cast<size_t>(c)];
    double mean = 0;
    for (size_t j = 0; j < r.size(); ++j) mean += slope[j] * double{r[j]};
    std::vector<float> out;
    for (size_t j = 0; j < r.size(); ++j)
      out.push_back(static_cast<float>(a.softmax ? double{r[j]} * (slope[j] - mean) : slope[j]));
    return out;
  };
  return {std::move(head), false};
}

}  // namespace limbic::explain
