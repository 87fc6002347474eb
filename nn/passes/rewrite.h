#pragma once
#include <map>

#include "limbic/nn/passes/passes.h"

namespace limbic::passes {

/// Several nodes that become one, which stands where the last of them stood.
struct Fusion {
  std::vector<int> nodes;  ///< In order; all but the last vanish.
  Node replacement;        ///< Its src are indices of the old graph.
};

/// In a replacement's src: the node that is inserted after node n of the old graph.
inline int inserted_after(int n) { return -1 - n; }

/// `vanishing` nodes go with no replacement (nobody reads them any more); each of `inserted` comes
/// right after the old node that is its key, and reads it.
Graph rewrite(const Graph& graph, const std::vector<Fusion>& fusions,
              const std::vector<int>& vanishing = {}, const std::map<int, Node>& inserted = {});

}  // namespace limbic::passes
