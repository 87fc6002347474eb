#pragma once
#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "limbic/nn/compile/arena.h"
#include "limbic/nn/graph/graph.h"
#include "limbic/nn/graph/kernel.h"
#include "limbic/nn/quantise.h"

namespace limbic {

struct PlanOptions {
  Shape input;  ///< (N,C,H,W).
  /// Of activations: f32; bf16 or i8 where the processor has their instructions. Parameters,
  /// statistics and (N,C) values stay f32. i8 is for inference and needs a calibration.
  DType dtype = DType::f32;
  Calibration calibration;
  /// i8: layers, or paths that hold layers, that are computed in the wider type.
  std::vector<std::string> full_precision;
  bool batch_statistics = false;  ///< Batch norm normalises with the batch's statistics.
  bool dropout = false;
  bool gradients = false;
  bool input_gradient = false;  ///< Also with respect to the image.
  /// Labels or node names whose activations can be read after a run. The labels "features" and
  /// "logits" always can, where the graph has them.
  std::vector<std::string> keep;
  std::vector<std::string> keep_gradients;
  /// Parameters that must not change, by name or by the path that they lie within ("layer1" holds
  /// "layer1.0.conv1.weight"; "" holds all). A batch norm whose running statistics are frozen uses
  /// them.
  std::vector<std::string> frozen;
  std::string loss_at = "logits";  ///< Where backward starts.
  /// Every parameter's gradient can be read after backward. Else each is only there while backward
  /// calls its sink, and takes no memory of its own.
  bool keep_parameter_gradients = true;
  /// Where all activations together take more bytes than this, those that are cheap to rebuild are
  /// rebuilt in backward instead of stored. Below it, storing them is faster.
  int64_t recompute_above = int64_t{128} << 20;
  bool fuse = true;      ///< Run the plan passes (nn/passes).
  bool winograd = true;  ///< 3x3 convolutions may use Winograd's algorithm (f32).
  /// Choose each convolution's algorithm by timing it here (nn/cpu/tuner.h), else by a fixed rule.
  bool tune = false;
  uint64_t seed = 0;  ///< Of dropout.
  /// For tests: i8 also where the processor has no instructions for it; weights then have 7 to 8
  /// bits.
  bool slow_int8 = false;
  /// For tests: all memory that a kernel is handed to write (packed weights, activations,
  /// gradients, scratch) first holds NaN, 8-bit values 0xFF or -128, and holds them again after its
  /// last use. Behind each buffer of the arena lie `guard` bytes that nobody may write: who does is
  /// an Error.
  bool poison = false;
  static constexpr int64_t guard = 4096;

  static PlanOptions inference(Shape input) {
    PlanOptions o;
    o.input = std::move(input);
    return o;
  }
  static PlanOptions training(Shape input) {
    PlanOptions o;
    o.input = std::move(input);
    o.batch_statistics = o.dropout = o.gradients = true;
    return o;
  }
};

/// One parameter as a kernel keeps it.
struct PackedParameter {
  std::string name;
  Shape shape;             ///< Canonical.
  onednn::Desc desc;       ///< In the kernel's layout (groups are a dimension of their own).
  Tensor value;            ///< Flat, desc's size.
  int gradient = -1;       ///< Slice of the arena, -1 where none is wanted.
  bool trainable = false;  ///< Has a gradient; else a buffer or frozen.
  bool changes = false;    ///< Trainable, or a running statistic that forward updates.
};

/// A Graph and Parameters compiled for one input shape and mode: kernels, layouts, packed weights,
/// the arena's layout. Threads may share it, each running its own Plan (workspace), as long as none
/// trains.
class Program {
 public:
  /// A buffer of the arena.
  struct Slice {
    onednn::Desc desc;
    Lifetime life;
    int alias = -1;  ///< Shares the memory of this slice.
  };
  struct CompiledNode {
    std::unique_ptr<Kernel> kernel;            ///< Null for the input and for nodes nobody needs.
    bool kept = false, kept_gradient = false;  ///< Can be read after a run, and after backward.
    int copied_from = -1;  ///< The node whose value dst holds before the kernel adds to it.
    Shape shape;
    DType dtype = DType::f32;
    float scale = 1;                      ///< Of 8-bit values.
    int value = -1, diff = -1;            ///< Slices; -1 where there is none.
    int value_again = -1;                 ///< Rebuilt in backward: the slice it is rebuilt in.
    std::vector<int> rebuild;             ///< Nodes to rebuild before this one's backward.
    std::vector<int> extras;              ///< Slices.
    std::vector<int> diff_src;            ///< Slices that backward writes, -1 where unwanted.
    std::vector<char> diff_src_adds;      ///< The kernel adds to that slice.
    std::vector<char> diff_src_is_added;  ///< The plan adds that slice to the value's gradient.
    std::vector<int> packed;              ///< Indices into packed().
    /// Of the parameters as they were packed; empty where nobody has asked yet.
    std::vector<uint64_t> fingerprints;
    bool backward = false;          ///< Takes part in backward.
    bool batch_statistics = false;  ///< Batch norm updates its running statistics.
  };

  Program(const Graph& graph, const Parameters& parameters, PlanOptions options);

  const PlanOptions& options() const { return options_; }
  const Graph& graph() const { return graph_; }
  const std::vector<CompiledNode>& nodes() const { return nodes_; }
  const std::vector<Slice>& slices() const { return slices_; }
  const ArenaLayout& arena() const { return arena_; }
  std::vector<PackedParameter>& packed() { return packed_; }
  const std::vector<PackedParameter>& packed() const { return packed_; }
  /// Node at which backward starts; -1 without gradients.
  int loss_node() const { return loss_node_; }

  /// After it the program computes with `parameters`, as one made anew would: packs again what is
  /// not what was packed last (core/fingerprint.h) and all that training may have changed.
  /// Throws Error, and changes nothing, where they do not fit.
  void refresh(const Parameters& parameters);

  /// The node of a label or of a node's name of the graph as it was given; throws Error, naming it,
  /// where its value (its gradient) is not kept.
  int kept(const std::string& name) const;
  int kept_gradient(const std::string& name) const;
  /// A batch norm's num_batches_tracked when it was packed, by name.
  const std::map<std::string, int64_t>& batches_tracked() const { return batches_tracked_; }
  /// How many convolutions it computes, and how many of them in 8 bits.
  struct Convolutions {
    int64_t all = 0, in_8_bits = 0;
  };
  Convolutions convolutions() const;
  /// Threads that the kernels were made for, with which every run computes.
  int threads() const { return threads_; }

  /// One workspace more, until what is returned goes. Throws Error where there is one already and
  /// the program trains: they would write the same weights.
  std::shared_ptr<void> open_workspace();

 private:
  std::vector<bool> find_live() const;
  std::vector<bool> find_seen() const;  ///< KernelBuilder::seen.
  std::vector<bool> find_gradients(const std::vector<bool>& live, const Parameters& p) const;
  void compile_nodes(const std::vector<bool>& live, const std::vector<bool>& wants_gradient,
                     const Parameters& parameters);
  std::vector<bool> wide_layers() const;
  std::vector<DType> dtypes() const;
  void quantise_sources();
  void choose_dtypes();
  KernelBuilder builder_of(size_t node, const Parameters& parameters) const;
  std::unique_ptr<Kernel> compile(const Op& op, KernelBuilder& builder) const;
  void take_in(size_t node, const KernelBuilder& builder);
  void allocate_packed();
  void plan_values();
  int64_t activation_bytes() const;
  void choose_rebuilt();
  void plan_gradients();
  void share_memory();
  bool may_overwrite(int node) const;
  bool may_accumulate(int node, int target) const;
  void require_names() const;
  void refresh_node(size_t node, const Parameters& parameters);
  int first_reader_in_backward(int node) const;
  int add_slice(const onednn::Desc& desc, int first, int last);
  bool is_frozen(const std::string& name) const;
  int forward_step(int node) const { return node; }
  int backward_step(int node) const { return 2 * static_cast<int>(nodes_.size()) - 1 - node; }
  int last_step() const { return 2 * static_cast<int>(nodes_.size()); }

  PlanOptions options_;
  Graph source_;  // as it was given: its names are those that callers know
  Graph graph_;
  std::vector<Shape> shapes_;
  std::vector<bool> kept_, kept_gradient_, seen_;
  std::vector<std::vector<int>> consumers_;
  std::vector<CompiledNode> nodes_;
  std::vector<Slice> slices_;
  std::vector<PackedParameter> packed_;
  ArenaLayout arena_;
  std::map<std::string, int64_t> batches_tracked_;
  bool is_packed_ = false;
  int loss_node_ = -1;
  int threads_ = 0;
  std::atomic<int> workspaces_ = 0;
};

}  // namespace limbic
