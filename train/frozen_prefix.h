#pragma once
#include <map>
#include <optional>

#include "limbic/core/progress.h"
#include "limbic/io/loader.h"
#include "limbic/models/models.h"
#include "limbic/network/predictor.h"
#include "limbic/train/row_file.h"

namespace limbic::train {

/// The last node of rank 4 that all behind it is computed from alone, where nothing up to it trains
/// or is random: every parameter is `frozen` (names and paths, as in PlanOptions) and there is no
/// dropout. Empty where there is none, or it is the input.
std::optional<int> find_boundary(const Graph& graph, const std::vector<std::string>& frozen);
/// Paths of all layers with parameters up to a label or node: frozen, they make it a boundary.
/// Throws Error for an unknown name.
std::vector<std::string> layers_until(const Graph& graph, const std::string& name);
/// What comes behind a node, which becomes the input. Labels of nodes that are gone are gone.
Graph graph_behind(const Graph& graph, int node);

struct PrefixOptions {
  std::string folder;         ///< Of the cache.
  DType dtype = DType::bf16;  ///< Of the values on the disk.
  /// Each training picture is kept in so many fixed views, drawn by the augmentation; epoch e sees
  /// view e modulo their number. 0: as it is, without augmentation.
  int64_t views = 0;
  uint64_t seed = 0;
};

/// What the frozen layers give for every picture of a training, computed once and kept on disk
/// under a key of pictures, weights, layer, preset, image size, augmentation and dtype. The prefix
/// runs in inference: its batch norms use their running statistics.
class PrefixRows {
 public:
  /// Throws Error, with the megabytes that it takes and those that are free, where the disk has no
  /// room. `pictures` is what Loader::keep_usable said of `data`.
  PrefixRows(const models::Model& model, const Parameters& parameters, int boundary,
             const io::Dataset& data, const std::string& pictures, const io::Preset& preset,
             const std::optional<io::Augmentation>& augmentation, const PrefixOptions& options);

  /// Computes what is not there yet.
  void fill(const ProgressFunction& progress);
  int64_t bytes() const;  ///< On the disk.
  /// (C,H,W) of a row.
  const Shape& shape() const { return shape_; }
  /// Values of samples in an epoch -> (n,C,H,W).
  Tensor read(std::span<const int64_t> samples, int64_t epoch) const;

 private:
  const models::Model& model_;
  const Parameters& parameters_;
  const io::Dataset& data_;
  io::Preset preset_;
  std::optional<io::Augmentation> augmentation_;
  PrefixOptions options_;
  std::string layer_;
  Shape shape_;
  std::vector<std::unique_ptr<RowFile>> views_;
};

}  // namespace limbic::train
