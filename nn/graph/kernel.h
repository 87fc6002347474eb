#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "limbic/core/tensor.h"
#include "limbic/nn/cpu/onednn/compat.h"

namespace limbic {

/// Memory of one workspace as a kernel sees it.
struct Buffer {
  dnnl::memory memory;   ///< For oneDNN's primitives; its handle is `data`.
  void* data = nullptr;  ///< Null where the plan does not want it (a gradient nobody asked for).

  float* f32() const { return static_cast<float*>(data); }
  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
  const dnnl::memory* dnnl() const { return data ? &memory : nullptr; }
};

/// What changes from run to run without a new plan.
struct RunState {
  uint64_t seed = 0;  ///< Key of all randomness of the plan.
  uint64_t step = 0;  ///< Grows with each training step.
};

/// All memory that one node touches. Activations (N,C,H,W) lie channels last in the plan's dtype,
/// (N,C) values are f32; a gradient has the dtype of its value.
///
/// The gradient contract: `backward` assigns every element of each diff_src and diff_packed that is
/// not null; it adds to a diff_src only where the plan says so in `add_diff_src`, and the plan says
/// so only to kernels that `can_add_gradient`. For the others, and where a node reads a value
/// twice, the plan sums.
struct Buffers {
  std::vector<Buffer> src, diff_src;
  std::vector<char> add_diff_src;  ///< Parallel to diff_src.
  Buffer dst, diff_dst;
  std::vector<Buffer> packed, diff_packed;  ///< Parameters in the kernel's layout, as declared.
  std::vector<Buffer> extra;                ///< By the index that KernelBuilder gave.
  const RunState* run = nullptr;

  /// Memory that KernelBuilder::temporary or saved gave this index.
  const Buffer& at(int index) const { return extra[static_cast<size_t>(index)]; }
};

/// A node compiled for one shape and mode: primitives made, layouts chosen. Immutable; threads
/// share it, each with its own Buffers.
class Kernel {
 public:
  virtual ~Kernel() = default;
  virtual void forward(const Buffers& b) const = 0;
  /// Only called on kernels built with gradients.
  virtual void backward(const Buffers& b) const = 0;
  /// Which activations backward reads; the plan keeps no others.
  virtual bool backward_reads_src() const { return true; }
  virtual bool backward_reads_dst() const { return false; }
  /// True where backward can add to a diff_src instead of assigning it.
  virtual bool can_add_gradient() const { return false; }
  /// True where `recompute` can rebuild dst in backward from src and what forward has saved, far
  /// cheaper than a convolution; the plan may then forget dst after forward's last reader.
  virtual bool can_recompute() const { return false; }
  virtual void recompute(const Buffers& b) const { forward(b); }
  /// True where forward may write its output over src 0.
  virtual bool may_overwrite_src() const { return false; }
  /// Index of the src whose memory dst must share (a sum that adds to it), or -1.
  virtual int accumulates_into() const { return -1; }
  /// Writes the parameters in the kernel's own layout: canonical tensors in the order of
  /// Op::parameters() to `packed`. The default copies one to one.
  virtual void pack(std::span<const Tensor> canonical, std::span<const Buffer> packed) const;
  /// What `pack` does beyond the layouts that it was asked for: kernels of one node that give the
  /// same answer, and the same layouts, pack to the same bytes.
  virtual std::string packing() const { return ""; }
  /// What computes it, for profiles: "brgconv:avx512_core", "limbic".
  virtual std::string implementation() const { return "limbic"; }
};

/// What an op asks of the plan while its kernel is made.
class KernelBuilder {
 public:
  std::string name;  ///< The node's.
  std::vector<Shape> src_shapes;
  Shape dst_shape;
  std::vector<DType> src_dtypes;
  DType dtype = DType::f32;  ///< Of dst.
  std::vector<float> src_scales;
  float scale = 1;  ///< A value is its element times its scale: not 1 for 8-bit values alone.
  /// Somebody reads after the run dst, or what layers without a bias of their own make of it.
  bool seen = false;
  bool gradients = false;                                    ///< Backward will be called.
  std::function<void(std::span<double>)> reduce_statistics;  ///< As in PlanOptions.
  bool batch_statistics = false;  ///< Batch norm: this node normalises with the batch's statistics.
  bool dropout = false;           ///< Dropout is on.
  std::vector<bool> diff_src;     ///< Whose gradient is wanted.
  std::vector<bool> diff_parameters;
  bool winograd = true, tune = false;  ///< As in PlanOptions.
  bool may_time = true;   ///< Else Op::compile returns null where it would have to time something.
  uint64_t node_key = 0;  ///< For counter-based randomness.

  /// Where a program of another input shape has packed this node's parameters already: in which
  /// layouts and by what Kernel::packing(). The kernel must read these, as there are no others.
  const std::vector<onednn::Desc>* like_packed = nullptr;
  std::string like_packing;

  /// Declares the layouts of the packed parameters (by default each one's canonical layout).
  void pack_as(std::vector<onednn::Desc> descs) { packed = std::move(descs); }
  /// Memory alive during one call of forward or of backward only. Returns the index in extra.
  int temporary(const onednn::Desc& desc, bool in_backward) {
    return add(desc, in_backward ? Life::backward : Life::forward);
  }
  /// Memory that forward writes and backward reads.
  int saved(const onednn::Desc& desc) { return add(desc, gradients ? Life::both : Life::forward); }

  enum class Life { forward, backward, both };
  struct Extra {
    onednn::Desc desc;
    Life life;
  };
  std::vector<onednn::Desc> packed;
  std::vector<Extra> extras;

 private:
  int add(const onednn::Desc& desc, Life life) {
    extras.push_back({desc, life});
    return static_cast<int>(extras.size()) - 1;
  }
};

}  // namespace limbic
