#pragma once
#include "limbic/emotion/model.h"

namespace limbic::emotion {

/// One CNN as the user asks for it.
struct BranchSpec {
  std::string model = "none";  ///< Architecture, or "none"; empty: the one the weights are of.
  std::string weights;         ///< Checkpoint; empty: fresh weights.
  std::string preset;          ///< Empty: the checkpoint's, else the architecture's.
  int64_t image_size = 0;      ///< 0: the preset's.
  /// Pixels are multiplied by it once more than the preset does: 1/255 is what the paper's text
  /// says when it is taken literally.
  double pixel_scale = 1;
};

struct FitOptions {
  std::string out;  ///< Model folder; trainings and the feature cache live in it.
  BranchSpec diff1, diff2, supplement;
  /// Features of others by the name of their block; diff1, diff2 and supplement take the place, and
  /// the weight, of a CNN that is "none". Others have the weight 1.
  std::vector<std::pair<std::string, std::shared_ptr<const FeatureFile>>> blocks = {};
  ClassifierOptions classifier;
  train::TrainOptions training;  ///< Of the Diff-CNNs; epochs 0 uses the weights as they are.
  std::optional<io::Augmentation> augmentation;
  /// The paper's rule: the epoch is chosen by the test pictures themselves. Otherwise by a slice
  /// (15 %) of the training pictures.
  bool select_by_test = false;
  bool hold_out_test = true;  ///< false: tested elsewhere; a slice still chooses the epoch.
  /// The user's own split: `test` is what the accuracy is measured on, in place of a part of the
  /// pictures; `validation` chooses the epoch, in place of a slice of them. Labels as in the data.
  std::optional<io::Dataset> validation, test;
  double train_fraction = 0.85;  ///< The rest tests; all pictures train when epochs are 0 ...
  bool always_hold_out = false;  ///< ... unless this is set.
  int64_t extract_batch = 16;
  /// Small pictures of the photos that the SVM remembers go into the model folder.
  bool keep_thumbnails = false;
  /// Called with a CNN's role and its epochs so far when one has been finished; may be empty.
  std::function<void(const std::string&, const std::vector<train::EpochResult>&)> after_epoch;
};

struct FitResult {
  EmotionModel model;
  io::Dataset train, test;  ///< test is empty where nothing was held out.
  BranchFeatures train_features, test_features;
  /// Rows of train_features that only chose the epoch; empty where the test pictures chose it.
  std::vector<int64_t> validation_rows;
  std::map<std::string, train::TrainResult> trainings;  ///< By role.
  std::map<std::string, network::Evaluation> single;  ///< Each Diff-CNN alone on the test pictures.
  network::Evaluation svm, dense;                     ///< Of the fusion on the test pictures.
  Prediction prediction;                              ///< The same, row by row.
  /// Where nothing was held out and no CNN was trained: of the SVM, cross-validated.
  network::Evaluation cross_validated;
  std::vector<io::SkippedSample> skipped;  ///< Each once.
  std::vector<std::string> notes;
};

/// The paper's pipeline on labelled pictures: fine-tunes the two Diff-CNNs, extracts all features
/// once, fuses them, fits the SVM and the dense layer, saves the model folder. With
/// options.training.resume an interrupted fit goes on where it was. Throws Error.
FitResult fit(const io::Dataset& data, const FitOptions& options,
              const ProgressFunction& progress = {});

/// The first part of fit: divides the pictures, fine-tunes the Diff-CNNs, extracts all features.
/// The model has its branches, but no classifier, and is not saved.
FitResult prepare_fit(const io::Dataset& data, const FitOptions& options,
                      const ProgressFunction& progress = {});

/// What a network's own last layer answers to features (N,D); nothing where that is not one linear
/// layer over them.
std::vector<int64_t> own_labels(const network::Network& network, const Tensor& features);

/// Builds a branch from its spec; classes 0: the checkpoint's. `notes` takes a sentence where a
/// preset was assumed or a classifier replaced.
Branch make_branch(const std::string& role, const BranchSpec& spec, int64_t classes, uint64_t seed,
                   std::vector<std::string>& notes);

}  // namespace limbic::emotion
