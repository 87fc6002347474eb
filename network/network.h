#pragma once
#include <map>
#include <string>
#include <vector>

#include "limbic/io/preset.h"
#include "limbic/models/models.h"

namespace limbic::network {

/// Which network is wanted and where its weights come from.
struct NetworkSource {
  std::string model;    ///< Architecture (models/models.h).
  std::string weights;  ///< Checkpoint of any format that weights/ reads; empty: fresh weights.
  int64_t classes = 0;  ///< 0: as many as the checkpoint's classifier has, else 1000.
  /// What the classes are called, `classes` names or none. Where the checkpoint names its own, its
  /// classifier is taken over by name: in this order if they are the same, else not at all.
  std::vector<std::string> class_names;
  std::string preset;      ///< Name; empty: the checkpoint's own, else the architecture's.
  int64_t image_size = 0;  ///< 0: the preset's.
  bool share = false;      ///< Read weights where the file is mapped (weights/load.h).
  uint64_t seed = 0;       ///< Of what is drawn: fresh weights, a classifier of another size.
};

/// A network with its weights and how its pictures are prepared.
struct Network {
  models::Model model;
  Parameters parameters;
  io::Preset preset;
  std::vector<std::string> labels;              ///< Where the checkpoint names its classes.
  std::map<std::string, std::string> metadata;  ///< The checkpoint's.
  std::map<std::string, Tensor> extras;         ///< What else it holds (weights/checkpoint.h).
  MappedFile file;  ///< The checkpoint as it was read, whatever lies under its name meanwhile.
  std::vector<std::string> remarks;  ///< For the user: which preset was assumed, what was replaced.
};

/// Builds a network and loads it. The preset is `source.preset`, else the one stored in the file,
/// else that of the published file whose checksum it has, else the architecture's (then a remark
/// says so). A classifier of another number of classes, or of classes of other names, stays fresh,
/// with a remark. Throws Error.
Network open_network(const NetworkSource& source);

}  // namespace limbic::network
