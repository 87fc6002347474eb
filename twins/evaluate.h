#pragma once
// The bridge from graphs to the plain twins: reference/ knows every op and no graph.
#include <functional>
#include <map>

#include "limbic/nn/graph/graph.h"
#include "limbic/reference/array.h"

namespace limbic::twins {

using reference::Array;
using Arrays = std::map<std::string, Array>;

/// The twin of an op that reference/ does not know: whoever adds an op brings its own. `parameters`
/// in the order of Op::parameters().
struct Twin {
  std::function<Array(const Op& op, const std::vector<Array>& src,
                      const std::vector<Array*>& parameters, const Shape& dst)>
      forward = {};
  /// From dy, the gradient of dst, that of each src and of each parameter that is trained.
  struct Gradients {
    std::vector<Array> src, parameters = {};
  };
  std::function<Gradients(const Op& op, const std::vector<Array>& src,
                          const std::vector<const Array*>& parameters, const Array& dy)>
      backward = {};
};

struct Mode {
  bool batch_statistics = false;
  std::vector<std::string> frozen = {};  ///< As in PlanOptions: these running statistics are used.
  /// Rounds every op's result: what the plain computation would give in a smaller dtype.
  std::function<double(double)> round = {};
  Twin twin = {};
};

/// The output of every node of a graph, computed by the twins. Dropout is the identity.
/// `parameters` by full name; running statistics in it are updated in batch-statistics mode. Throws
/// Error, naming the op, where it has no twin or the twin's shape is not what the op infers.
std::vector<Array> evaluate(const Graph& graph, Arrays& parameters, const Array& input,
                            const Mode& mode);

/// Whether this batch norm normalises with the batch's statistics.
bool uses_batch_statistics(const Node& node, const Mode& mode);

Array from_tensor(const Tensor& tensor);
Arrays from_parameters(const Parameters& parameters);

}  // namespace limbic::twins
