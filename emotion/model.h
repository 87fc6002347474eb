#pragma once
#include "limbic/emotion/fusion.h"
#include "limbic/emotion/softmax_classifier.h"
#include "limbic/svm/svc.h"
#include "limbic/train/trainer.h"

namespace limbic::emotion {

/// The classifiers over the fused vector: scaler, SVM and the dense softmax layer beside it.
struct FusionClassifier {
  Fusion fusion;
  svm::BlockScaler scaler;
  svm::SvcModel svm;
  SoftmaxClassifier dense;
};

struct ClassifierOptions {
  Fusion fusion;
  double C = 1.5;                                 ///< The paper's best.
  svm::KernelType kernel = svm::KernelType::rbf;  ///< The paper's; or linear.
  bool scale_blocks = true;
  svm::GammaRule gamma_rule = svm::GammaRule::scale;
  double gamma = 0;
  uint64_t seed = 0;
};

/// Throws Error for a fusion, C or gamma out of range.
void check(const ClassifierOptions& options);

/// Gamma of the RBF kernel over blocks that the scaler scales and these weights weight.
double fusion_gamma(const ClassifierOptions& options, const svm::BlockScaler& scaler,
                    std::span<const double> weights);

/// Trains both on the blocks of the training pictures. Throws Error unless there is a block a role
/// with a row a label, and labels lie in [0, classes).
FusionClassifier train_classifier(const std::vector<std::string>& roles,
                                  const BranchFeatures& features, int64_t classes,
                                  const ClassifierOptions& options);

/// Label of each picture by an SVM that learnt from the other folds, up to five (fewer where there
/// are fewer pictures). Scaling and gamma, which no label enters, are those of all. Throws Error as
/// train_classifier does.
std::vector<int64_t> cross_predict(const std::vector<std::string>& roles,
                                   const BranchFeatures& features, int64_t classes,
                                   const ClassifierOptions& options);

/// What a classifier says of pictures, rows as in the features. Throws Error for blocks that are
/// not the ones it learnt from, and for fewer classes than it knows.
struct Prediction {
  Tensor probabilities;         ///< F64 (N,classes), columns in the order of the model's classes.
  std::vector<int64_t> labels;  ///< N; each row's argmax by construction.
  std::vector<int64_t> dense_labels;  ///< N; the softmax layer's.
};
Prediction classify(const FusionClassifier& classifier, const std::vector<std::string>& roles,
                    const std::vector<Tensor>& blocks, int64_t classes);

/// The longer side of a thumbnail, in pixels, at most.
constexpr int64_t thumbnail_side = 96;

/// Everything that `predict` needs, as one folder: model.json, and a .safetensors file for each CNN
/// and for the classifiers.
struct EmotionModel {
  std::vector<std::string> classes;
  std::vector<Branch> branches;  ///< In the order diff1, diff2, supplement; `none` is absent.
  FusionClassifier classifier;
  std::map<std::string, std::string> remarks;  ///< How it was made: pictures, accuracies ...
  /// Of each support vector's training photo a small PNG file, as u8 (bytes); or none.
  std::vector<Tensor> thumbnails;

  std::vector<std::string> roles() const;
  /// The small picture of a support vector. Throws Error where its file is damaged or not small.
  io::Picture thumbnail(int64_t support_vector) const;
  /// Gives the branch of that name its features. Throws Error where there is none, or where they
  /// have another width than those that it learnt from.
  void set_features(const std::string& role, std::shared_ptr<const FeatureFile> features);
};

/// Writes the model's files beside those of a model that is there already, each under a name that
/// holds its hash, then model.json, which names them all with their hashes, and last removes what
/// is named no more. The one rename of model.json decides: where anything fails before it, the old
/// model is left as it was, and nothing of the new one. Throws Error.
void save_model(const EmotionModel& model, const std::string& dir);
/// Throws Error where anything is missing, damaged, not finite or not of one save. A folder of
/// version 1 (before 2026-11-26) is taken too, though nothing tells whether its
/// classifier.safetensors belongs to its model.json: those did not keep that hash.
/// Or a zip archive of such a folder.
EmotionModel load_model(const std::string& dir);
EmotionModel load_model(const MappedFile& archive);
/// Whether there is a model.json in the folder or archive.
bool is_model(const std::string& path);
bool is_model(const MappedFile& archive);
/// Writes the folder's files as a zip archive. Throws Error where the model cannot be loaded.
void archive_model(const std::string& dir, std::ostream& out);
/// Path of each file that a folder's model.json names, by part: "diff1", "diff2", "supplement",
/// "classifier", "thumbnails". Throws Error.
std::map<std::string, std::string> model_files(const std::string& dir);

}  // namespace limbic::emotion
