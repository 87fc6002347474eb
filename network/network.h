#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "limbic/io/preset.h"
#include "limbic/models/models.h"
#include "limbic/weights/checkpoint.h"

namespace limbic::network {

/// Which network is wanted and where its weights come from.
struct NetworkSource {
  std::string model;    ///< Architecture (models/models.h); empty: the one that the weights are of.
  std::string state;    ///< Which of several networks in the file; empty: weights/states.h.
  std::string weights;  ///< Checkpoint of any format that weights/ reads; empty: fresh weights.
  /// The checkpoint itself, where `weights` is but its name in messages.
  std::optional<MappedFile> file = {};
  int64_t classes = 0;  ///< 0: as many as the checkpoint's classifier has, else 1000.
  /// What the classes are called, `classes` names or none. Where the checkpoint names its own, its
  /// classifier is taken over by name: in this order if they are the same, else not at all.
  std::vector<std::string> class_names;
  /// Layers, or paths that hold layers, that the checkpoint may lack: they stay as they are drawn.
  std::vector<std::string> fresh = {};
  std::string preset;      ///< Name; empty: the checkpoint's own, else the architecture's.
  int64_t image_size = 0;  ///< 0: the preset's.
  bool share = false;      ///< Read weights where the file is mapped (weights/load.h).
  uint64_t seed = 0;       ///< Of what is drawn: fresh weights, a classifier of another size.
};

/// What a network's outputs are: of one-of-many classes, of one yes or no, of several of these.
enum class OutputKind { classes, binary, multilabel };

/// A network with its weights and how its pictures are prepared.
struct Network {
  models::Model model;
  Parameters parameters;
  io::Preset preset;
  std::vector<std::string> labels;              ///< Where the checkpoint names its classes.
  std::map<std::string, std::string> metadata;  ///< The checkpoint's.
  std::map<std::string, Tensor> extras;         ///< What else it holds (weights/checkpoint.h).
  OutputKind kind = OutputKind::classes;
  bool has_classifier = true;  ///< false: the file has none, and the last layer is a fresh one.
  std::string format;          ///< Of the checkpoint.
  std::vector<std::string> states;  ///< Networks in the file.
  MappedFile file;  ///< The checkpoint as it was read, whatever lies under its name meanwhile.
  std::vector<std::string> remarks;  ///< For the user: which preset was assumed, what was replaced.
};

/// The name of the network that these tensors are the weights of, as their names and shapes say it;
/// empty where they fit none.
std::string recognise_model(const weights::Checkpoint& checkpoint);

/// Builds a network and loads it, its tensors being found by weights/match.h. The preset is
/// `source.preset`, else the one stored in the file, else that of the published file whose checksum
/// it has, else the architecture's (then a remark says so). A classifier of another number of
/// classes, or of classes of other names, stays fresh, with a remark. Throws Error.
Network open_network(const NetworkSource& source);

}  // namespace limbic::network
