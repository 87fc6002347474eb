#pragma once
#include "limbic/cli/data_options.h"
#include "limbic/cli/training_options.h"
#include "limbic/emotion/fit.h"

namespace limbic::cli {

/// The files of --block NAME=FILE, by name. Throws Error where one is not so, or a name comes
/// twice.
std::vector<std::pair<std::string, std::shared_ptr<const emotion::FeatureFile>>> open_blocks(
    const std::vector<std::string>& blocks);

/// The options that fit and sweep share: photos, the three CNNs, how they are trained and how their
/// features are classified, alpha, beta and C apart.
struct PipelineOptions {
  DataOptions data;
  std::string out, scale = "block", kernel = "rbf", gamma = "scale", select = "validation", preset;
  emotion::BranchSpec diff1{.model = "resnet20"}, diff2{.model = "densenet_small"}, supplement;
  int64_t image_size = 0;
  std::vector<std::string> blocks;  ///< Of --block, NAME=FILE each.
  TrainingOptions training;
  Option learning_rate, named1, named2, named_supplement;  ///< Whether they were given.

  void add_to(const Verb& verb);
  /// The same without the photos.
  void add_models_to(const Verb& verb);
  /// As the pipeline wants them. Says on standard error where nets without weights are trained from
  /// scratch.
  emotion::FitOptions to_fit_options(const Common& common);
  /// The photos, `f` being given the user's own parts of them. A part to validate on alone is what
  /// the accuracy is measured on.
  io::Dataset open_data(const Common& common, emotion::FitOptions& f) const;
};

}  // namespace limbic::cli
