#pragma once
// baselines: the seven methods that the paper's table 3 compares with, each trained and evaluated
// on the same split by the same call, from the algorithms up.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "limbic/core/progress.h"
#include "limbic/emotion/fit.h"
#include "limbic/io/dataset.h"
#include "limbic/train/trainer.h"

namespace limbic::baselines {

/// What every row is given.
struct Setting {
  io::Dataset train;  ///< Learns.
  /// Chooses the epoch and C; where it is empty, C is cross-validated on `train` and the last epoch
  /// is taken.
  io::Dataset validation;
  /// Folder of the rows' own trainings, so that a killed run goes on; empty: nothing is kept.
  std::string out;
  uint64_t seed = 0;
  int64_t image_size = 0;        ///< Of the CNNs; 0: each network's own. Small pictures: 64.
  train::TrainOptions training;  ///< Of the CNNs; `out`, `resume` and `seed` are set by the rows.
  std::optional<io::Augmentation> augmentation;
  std::string pairs;  ///< Folder of adjective-noun pairs, one sub-folder a pair; empty: none.
  std::string deepsentibank_weights;  ///< A network fine-tuned to pairs; empty: trained on `pairs`.
  std::string alexnet_weights;        ///< ImageNet weights of alexnet_model; empty: fresh.
  std::string alexnet_model = "alexnet";
  std::string assisted_weights;  ///< Of assisted_model; empty: fresh.
  std::string assisted_model = "resnet14";
  /// Classes that are positive emotions; empty: amusement, awe, contentment and excitement.
  std::vector<std::string> positive;
  /// LiteEmo's three streams; of an empty weights and the model "none" the stream is missing.
  emotion::BranchSpec lite_emotion, lite_object, lite_category;
};

/// Another reading of a row: labels as Learnt::predict gives them.
struct Variant {
  std::string name;  ///< "bag of words, 1x1 + 2x2 + 4x4, RBF SVM".
  std::vector<int64_t> labels;
};

/// A row that has learnt.
class Learnt {
 public:
  virtual ~Learnt() = default;
  /// Label of each sample of a data set, -1 where its picture cannot be read.
  virtual std::vector<int64_t> predict(const io::Dataset& data,
                                       const ProgressFunction& progress) = 0;
  /// What other readings of the method say of the pictures of the last predict.
  const std::vector<Variant>& variants() const { return variants_; }

  /// What a reader must know: a stand-in, a reduced size, the C that was chosen ...
  std::vector<std::string> notes;

 protected:
  std::vector<Variant> variants_;
};

/// A row of table 3.
struct Row {
  std::string name;             ///< Key: "sift", "hog", "sentibank", "deepsentibank", "alexnet",
                                ///< "binary-assisted", "liteemo".
  std::string method;           ///< As table 3 prints it.
  std::string type;             ///< "handcrafted" or "deep".
  double printed;               ///< Accuracy in table 3, 0-1.
  std::string source, reading;  ///< What the source says; what we make of it.
  /// What is missing for this row, "needs --pairs: ..."; empty where it can run.
  std::string (*needs)(const Setting&);
  /// Throws Error where something is missing, or the pictures to learn from cannot be used: at
  /// least two classes must be there. Equal settings give equal labels at any number of threads,
  /// where the networks' do (train/trainer.h).
  std::unique_ptr<Learnt> (*learn)(const Setting&, const ProgressFunction&);
};
/// All rows, in table 3's order.
const std::vector<Row>& rows();
/// Throws Error, listing the names, for an unknown one.
const Row& find_row(const std::string& name);

}  // namespace limbic::baselines
