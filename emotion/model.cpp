#include "limbic/emotion/model.h"

#include <algorithm>
#include <cmath>

#include "limbic/io/decode.h"
#include "limbic/svm/cross_validation.h"

namespace limbic::emotion {

void check(const ClassifierOptions& o) {
  check(o.fusion);
  require(o.C > 0 && std::isfinite(o.C), "SVM: expected C > 0 and finite, got ", o.C);
  require(o.gamma_rule != svm::GammaRule::value || (o.gamma > 0 && std::isfinite(o.gamma)),
          "SVM: expected gamma > 0 and finite, got ", o.gamma);
  require(o.kernel == svm::KernelType::rbf || o.kernel == svm::KernelType::linear,
          "the fused vector is classified by an RBF or a linear SVM");
}

double fusion_gamma(const ClassifierOptions& options, const svm::BlockScaler& scaler,
                    std::span<const double> weights) {
  if (options.gamma_rule == svm::GammaRule::value) return options.gamma;
  if (options.gamma_rule == svm::GammaRule::scale) return svm::gamma_scale(scaler, weights);
  return 1.0 / static_cast<double>(scaler.features());
}

namespace {

// The fused vector of each picture, and what the SVM over it is to be.
struct Fused {
  svm::BlockScaler scaler;
  Tensor x;
  svm::SvcOptions svc;
  std::vector<int> labels;
};

Fused fuse(const std::vector<std::string>& roles, const BranchFeatures& features, int64_t classes,
           const ClassifierOptions& o) {
  check(o);
  for (int64_t label : features.labels)
    require(label >= 0 && label < classes, "expected labels from 0 to ", classes - 1, ", got ",
            label);
  Fused out;
  const std::vector<double> weights = block_weights(o.fusion, roles);
  const Tensor joined = join_blocks(features.blocks);
  out.scaler =
      svm::fit_scaler(joined, feature_blocks(roles, features.blocks),
                      {.mode = o.scale_blocks ? svm::ScaleMode::standard : svm::ScaleMode::none});
  out.x = svm::apply_scaler(out.scaler, joined, weights);
  out.svc.C = o.C;
  out.svc.kernel = o.kernel;
  out.svc.gamma_rule = svm::GammaRule::value;
  out.svc.gamma = fusion_gamma(o, out.scaler, weights);
  out.svc.seed = o.seed;
  out.labels.assign(features.labels.begin(), features.labels.end());
  return out;
}

}  // namespace

FusionClassifier train_classifier(const std::vector<std::string>& roles,
                                  const BranchFeatures& features, int64_t classes,
                                  const ClassifierOptions& o) {
  Fused fused = fuse(roles, features, classes, o);
  fused.svc.calibration_folds = 3;
  FusionClassifier c{.fusion = o.fusion, .scaler = fused.scaler, .svm = {}, .dense = {}};
  c.svm = svm::train_svc(fused.x, fused.labels, fused.svc);
  c.dense = train_softmax_classifier(fused.x, features.labels, classes);
  return c;
}

std::vector<int64_t> cross_predict(const std::vector<std::string>& roles,
                                   const BranchFeatures& features, int64_t classes,
                                   const ClassifierOptions& o) {
  const Fused fused = fuse(roles, features, classes, o);
  const auto folds = static_cast<int>(std::min<size_t>(5, fused.labels.size()));
  std::vector<int64_t> out;
  for (int label : svm::cross_predict(fused.x, fused.labels, fused.svc, folds))
    out.push_back(label);
  return out;
}

Prediction classify(const FusionClassifier& c, const std::vector<std::string>& roles,
                    const std::vector<Tensor>& blocks, int64_t classes) {
  const auto given = feature_blocks(roles, blocks);
  require(std::equal(given.begin(), given.end(), c.scaler.blocks.begin(), c.scaler.blocks.end(),
                     [](const svm::FeatureBlock& a, const svm::FeatureBlock& b) {
                       return a.name == b.name && a.width == b.width;
                     }),
          "the classifier learnt from other feature blocks than these");
  for (int label : c.svm.classes)
    require(label >= 0 && label < classes, "the classifier knows a class ", label,
            ", expected less than ", classes);
  const Tensor x = svm::apply_scaler(c.scaler, join_blocks(blocks), block_weights(c.fusion, roles));
  Prediction out;
  const Tensor decisions = svm::decision_values(c.svm, x);
  const Tensor svm = svm::probabilities_from_decisions(c.svm, decisions);
  const int64_t n = x.dim(0), known = svm.dim(1);
  // The SVM knows the classes that had pictures, in the order in which they came.
  out.probabilities = Tensor({n, classes}, DType::f64);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t k = 0; k < known; ++k)
      out.probabilities.data<double>()[i * classes + c.svm.classes[static_cast<size_t>(k)]] =
          svm.data<double>()[i * known + k];
  for (int label : svm::vote(c.svm, decisions)) out.labels.push_back(label);
  const Tensor dense = c.dense.probabilities(x);
  for (int64_t i = 0; i < n; ++i)
    out.dense_labels.push_back(network::argmax(dense.rows(i, i + 1).values()));
  return out;
}

io::Picture EmotionModel::thumbnail(int64_t support_vector) const {
  const Tensor& png = thumbnails.at(static_cast<size_t>(support_vector));
  return io::decode({static_cast<const uint8_t*>(png.raw()), static_cast<size_t>(png.bytes())},
                    str_cat("thumbnail of support vector ", support_vector),
                    {.max_pixels = thumbnail_side * thumbnail_side});
}

void EmotionModel::set_features(const std::string& role,
                                std::shared_ptr<const FeatureFile> features) {
  for (size_t i = 0; i < branches.size(); ++i) {
    if (branches[i].role != role || !branches[i].external) continue;
    const int64_t width = classifier.scaler.blocks[i].width;
    require(features->width() == width, features->path(), ": has ", features->width(),
            " values a picture, the model's block '", role, "' has ", width);
    branches[i].features = std::move(features);
    return;
  }
  fail("the model has no block '", role, "' of others' features");
}

std::vector<std::string> EmotionModel::roles() const {
  std::vector<std::string> out;
  for (const Branch& b : branches) out.push_back(b.role);
  return out;
}

}  // namespace limbic::emotion
