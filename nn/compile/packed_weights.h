#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "limbic/nn/graph/graph.h"
#include "limbic/nn/graph/kernel.h"
#include "limbic/nn/graph/per_node.h"

namespace limbic {

struct CompiledKernel;

/// One parameter as a kernel keeps it.
struct PackedParameter {
  std::string name;
  Shape shape;             ///< Canonical.
  onednn::Desc desc;       ///< In the kernel's layout (groups are a dimension of their own).
  Tensor value;            ///< Flat, desc's size.
  bool trainable = false;  ///< Has a gradient; else a buffer or frozen.
  bool changes = false;    ///< Trainable, or a running statistic that forward updates.

  Buffer buffer() const;
};

/// The parameters of a network in the layouts that its kernels want. They belong to no input shape:
/// programs of several share one.
class PackedWeights {
 public:
  /// Memory for what the kernels ask for; nothing is packed yet. `poison`: it holds NaN.
  PackedWeights(const Graph& graph, const PerNode<CompiledKernel>& kernels, bool batch_statistics,
                bool poison);

  /// All nodes' parameters, one behind the other; those of a node are from first(node) on, as many
  /// as it has layouts.
  const std::vector<PackedParameter>& parameters() const { return parameters_; }
  size_t first(int node) const { return nodes_[node].first; }
  size_t end(int node) const { return first(node) + layouts(node).size(); }
  const std::vector<onednn::Desc>& layouts(int node) const { return nodes_[node].layouts; }
  std::string packing(int node) const { return nodes_[node].kernel->packing(); }

  /// Packs what is not what was packed last (core/fingerprint.h) and all that training may have
  /// changed. Throws Error, and changes nothing, where the parameters do not fit.
  void refresh(const Parameters& parameters);

  /// A batch norm's num_batches_tracked when it was packed, by name.
  const std::map<std::string, int64_t>& batches_tracked() const { return batches_tracked_; }

 private:
  struct NodeWeights {
    std::shared_ptr<const Kernel> kernel;  ///< That packs them.
    std::vector<onednn::Desc> layouts;
    std::vector<std::string> names;  ///< Of the canonical parameters.
    std::vector<ParameterSpec> specs;
    size_t first = 0;  ///< In parameters_.
    /// Of the parameters as they were packed; empty where nobody has asked yet.
    std::vector<uint64_t> fingerprints;
  };
  void allocate(bool poison);
  void refresh_node(NodeWeights& node, const Parameters& parameters);

  PerNode<NodeWeights> nodes_;
  std::vector<PackedParameter> parameters_;
  std::map<std::string, int64_t> batches_tracked_;
  bool is_packed_ = false;
};

/// Throws Error unless a parameter has the shape and dtype that kernels read without asking again.
void require_fit(const std::string& name, const ParameterSpec& spec, const Tensor& value);

}  // namespace limbic
