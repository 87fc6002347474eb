#include "limbic/nn/compile/packed_weights.h"

#include <cstring>

#include "limbic/core/file.h"
#include "limbic/core/fingerprint.h"
#include "limbic/core/parallel.h"
#include "limbic/nn/compile/kernels.h"

namespace limbic {

void Kernel::pack(std::span<const Tensor> canonical, std::span<const Buffer> packed) const {
  for (size_t i = 0; i < canonical.size(); ++i)
    if (packed[i].data)
      onednn::reorder_once(onednn::canonical(canonical[i].shape()), canonical[i].raw(),
                           packed[i].memory.get_desc(), packed[i].data);
}

void require_fit(const std::string& name, const ParameterSpec& spec, const Tensor& value) {
  require(value.shape() == spec.shape && value.dtype() == spec.dtype, name, ": expected ",
          to_string(spec.dtype), " ", to_string(spec.shape), ", got ", to_string(value.dtype()),
          " ", to_string(value.shape()));
}

Buffer PackedParameter::buffer() const {
  if (value.empty()) return {};
  return {dnnl::memory(desc, onednn::engine(), value.raw()), value.raw()};
}

PackedWeights::PackedWeights(const Graph& graph, const PerNode<CompiledKernel>& kernels,
                             bool batch_statistics, bool poison)
    : nodes_(graph.size()) {
  for (int n = 1; n < graph.size(); ++n) {
    const Node& node = graph.node(n);
    const KernelBuilder& asked = kernels[n].asked;
    NodeWeights& own = nodes_[n];
    own = {.kernel = kernels[n].kernel,
           .layouts = asked.packed,
           .names = node.parameters,
           .specs = node.op->parameters(),
           .first = parameters_.size()};
    own.names.resize(own.specs.size());
    for (size_t i = 0; i < asked.packed.size(); ++i) {
      PackedParameter packed;
      packed.desc = asked.packed[i];
      if (i < own.specs.size()) {
        packed.name = own.names[i];
        packed.shape = own.specs[i].shape;
        packed.trainable = asked.diff_parameters[i];
        packed.changes = packed.trainable ||
                         (batch_statistics && asked.batch_statistics && own.specs[i].statistic);
      }
      parameters_.push_back(std::move(packed));
    }
  }
  allocate(poison);
}

// One block for all packed parameters: in huge pages where there are some, which are much faster to
// write for the first time than small ones.
void PackedWeights::allocate(bool poison) {
  constexpr int64_t line = 16;  // floats
  const auto floats = [](const PackedParameter& p) {
    return static_cast<int64_t>((p.desc.get_size() + 3) / 4);
  };
  int64_t total = 0;
  for (const PackedParameter& p : parameters_) total += (floats(p) + line - 1) / line * line;
  const std::shared_ptr<void> block = allocate_aligned(total * 4, true);
  if (poison) std::memset(block.get(), 0xFF, static_cast<size_t>(total * 4));
  auto* at = static_cast<float*>(block.get());
  for (PackedParameter& p : parameters_) {
    p.value = Tensor::view(at, {floats(p)}, DType::f32, block);
    at += (floats(p) + line - 1) / line * line;
  }
}

void PackedWeights::refresh(const Parameters& parameters) {
  std::map<std::string, int64_t> tracked;
  for (const NodeWeights& node : nodes_)
    for (size_t i = 0; i < node.specs.size(); ++i) {
      const Tensor& value = parameters.at(node.names[i]).value;
      require_fit(node.names[i], node.specs[i], value);
      if (value.dtype() == DType::i64) tracked[node.names[i]] = value.data<int64_t>()[0];
    }
  parallel_for_dynamic(nodes_.size(), [&](int64_t n) {
    if (NodeWeights& node = nodes_[static_cast<int>(n)]; node.kernel)
      refresh_node(node, parameters);
  });
  is_packed_ = true;
  parameters.require_intact();
  batches_tracked_ = std::move(tracked);
}

void PackedWeights::refresh_node(NodeWeights& node, const Parameters& parameters) {
  std::vector<Tensor> canonical;
  std::vector<uint64_t> prints;  // of a first packing nobody may ever ask: most plans are made once
  for (const std::string& name : node.names) {
    canonical.push_back(parameters.at(name).value);
    if (is_packed_) prints.push_back(fingerprint(canonical.back()));
  }
  std::vector<Buffer> buffers;
  bool changes = false;
  for (size_t i = 0; i < node.layouts.size(); ++i) {
    const PackedParameter& packed = parameters_[node.first + i];
    changes = changes || packed.changes;
    buffers.push_back(packed.buffer());
  }
  if (is_packed_ && prints == node.fingerprints && !changes) return;
  node.fingerprints.clear();  // should packing fail
  node.kernel->pack(canonical, buffers);
  node.fingerprints = prints;
  for (const std::string& name : node.names)
    if (const Parameter& p = parameters.at(name); p.shared)
      release_mapped(p.value.raw(), p.value.bytes());
}

}  // namespace limbic
