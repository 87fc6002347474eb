#pragma once
#include <functional>
#include <span>

#include "limbic/nn/compile/program.h"
#include "limbic/nn/graph/watch.h"

namespace limbic {

/// The memory that runs of a program write, and how they go through its kernels. One caller at a
/// time; what may be called when is Plan's to know.
class Workspace {
 public:
  struct Arena {
    std::shared_ptr<void> memory;
    int64_t bytes = 0;
  };
  /// Runs in `arena` where that is large enough, which nobody else may use meanwhile. The state is
  /// read in each run.
  Workspace(std::shared_ptr<Program> program, const RunState& state, Arena arena);
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  Program& program() const { return *program_; }
  const Arena& arena() const { return arena_; }

  /// `images` pictures (C,H,W), up to the program's N; the rows beyond them are zeros.
  void forward(std::span<const float> values, int64_t images, Watch& watch);
  /// From the gradient at the loss. Calls the sink with the index of each packed parameter whose
  /// gradient has been computed.
  void backward(std::span<const float> diff, const std::function<void(size_t)>& sink, Watch& watch);

  /// What a node's buffer holds, NCHW or (N,C).
  Tensor value(int node) const { return to_nchw(buffers_[node].dst, node); }
  Tensor gradient(int node) const { return to_nchw(gradients_[node], node); }
  bool has_gradient(int node) const { return gradients_[node].data != nullptr; }
  const Buffer& buffer_of(int node) const { return buffers_[node].dst; }
  /// Null where there is none.
  float* packed_gradient(size_t index) const { return packed_gradients_[index].f32(); }

 private:
  const NodeMemory& memory(int node) const { return program_->memory().nodes[node]; }
  Buffer buffer(std::optional<int> slice) const;
  void bind(Buffers& buffers, int node, bool in_backward) const;
  void take_in(std::span<const float> nchw, int64_t images, int node, const Buffer& buffer) const;
  Tensor to_nchw(const Buffer& buffer, int node) const;
  void forward_node(int n, Watch& watch);
  static void require_room_for_code(bool& asked);
  void backward_node(int n, const std::function<void(size_t)>& sink, Watch& watch);
  void poison(int step, bool before) const;
  void show(int n, const Watch& watch) const;

  std::shared_ptr<Program> program_;
  const RunState& state_;
  Arena arena_;
  bool ran_forward_ = false, ran_backward_ = false;
  Steps steps_;
  PerNode<Buffers> buffers_;   ///< Of forward.
  PerNode<Buffers> backward_;  ///< Of backward: rebuilt values lie elsewhere.
  PerNode<Buffer> gradients_;  ///< Of each node's value.
  std::vector<Buffer> packed_gradients_;
};

}  // namespace limbic
