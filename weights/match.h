#pragma once
#include <map>
#include <string>
#include <vector>

#include "limbic/core/tensor.h"

namespace limbic::weights {

/// A network as a file may have it under other names.
struct NetworkNames {
  std::string model;                    ///< "resnet18": whose dialects are tried.
  std::map<std::string, Shape> shapes;  ///< Of all parameters.
  std::string classifier;               ///< The last layer: "fc".
  int64_t features = 0;                 ///< That it takes.
  bool partial = false;                 ///< It ends early: what comes behind is left out.
  std::string state;                    ///< What its names begin with, where several do; or empty.
};

/// A linear layer behind the features.
struct HeadLayer {
  Tensor weight, bias;     ///< (out,in); (out), empty where the file has none.
  std::string name;        ///< In the file.
  bool activated = false;  ///< Numbers between this one and the next leave room for an activation.
};

/// What of a file is the network's.
struct Matching {
  std::map<std::string, Tensor> tensors;  ///< Under the network's names, the head apart.
  std::vector<HeadLayer> head;            ///< From the features to the classes; may be none.
  std::vector<std::string> missing, unexpected, misshapen;  ///< Why it is no match.
  std::vector<std::string> remarks;  ///< How names were read, what was left out.
  int64_t matched = 0;               ///< Parameters of the network that the file has.
  /// Beginnings of names behind which the whole network is; more than one: which is wanted?
  std::vector<std::string> prefixes;

  bool complete() const { return missing.empty() && unexpected.empty() && misshapen.empty(); }
};

/// Finds the network's parameters in a file by name, whatever stands before the names (prefixes of
/// wrappers, of the user's own module), between them ("module", "_orig_mod") or in their place
/// (dialects.h); and the linear layers that follow the features, whatever they are called.
/// Counters, a pruning's masks, a criterion's weights beside the network are understood or left
/// out, and what is left out is said. Tensors whose shape differs only in how it is written (a 7x7
/// convolution over 7x7 for a linear layer) are taken.
Matching match_names(const std::map<std::string, Tensor>& file, const NetworkNames& network);

}  // namespace limbic::weights
