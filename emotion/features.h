#pragma once
// emotion: the paper's pipeline: feature cache, fusion, classifiers, model folder, demo and report.
#include <memory>

#include "limbic/core/progress.h"
#include "limbic/emotion/feature_file.h"
#include "limbic/io/loader.h"
#include "limbic/network/network.h"
#include "limbic/train/communicator.h"

namespace limbic::emotion {

/// One CNN of the pipeline and what the fused vector takes from it; or, in its place, features that
/// something else has computed.
struct Branch {
  std::string role;  ///< "diff1", "diff2" or "supplement"; of others' features any name.
  network::Network network;
  std::string layer = "features";  ///< GAP features of a Diff-CNN.
  bool softmax = false;            ///< The supplement: layer "logits", made probabilities.
  std::string hash;                ///< SHA-256 that stands for the weights, or of the file.
  /// Others' features: no network then. Null in a model that was loaded, until somebody gives them.
  std::shared_ptr<const FeatureFile> features = {};
  bool external = false;

  /// Throws Error where others' features are wanted and not there.
  void require_features() const;
};

/// What the branches say of a data set: one block a branch, equal rows.
struct BranchFeatures {
  std::vector<Tensor> blocks;    ///< (N,D) each, raw.
  std::vector<int64_t> labels;   ///< N
  std::vector<int64_t> indices;  ///< N, into Dataset::samples.
  std::vector<io::SkippedSample> skipped;
  std::vector<int64_t> computed;   ///< Rows of each block that the cache did not have.
  std::vector<std::string> notes;  ///< Why rows could not be kept.
};

struct ExtractOptions {
  int64_t batch_size = 16;
  /// Folder of the feature cache; empty: none. Rows are found again by the picture's SHA-256, the
  /// branch's weights, architecture, layer and preset (which holds the image size). What is there
  /// of other weights or presets is removed at the end. A cache that cannot be written is a note.
  std::string cache;
  std::string task = "extracting features";
  /// The processes that share the work; each ends with the rows of all. Null: this one alone.
  train::Communicator* communicator = nullptr;
};

/// Runs every branch over a data set; each picture is decoded once. Pictures that cannot be read
/// are skipped and named. Throws Error without branches, and where a file of features lacks some.
BranchFeatures extract_features(const std::vector<Branch>& branches, const io::Dataset& data,
                                const ExtractOptions& options,
                                const ProgressFunction& progress = {});

}  // namespace limbic::emotion
