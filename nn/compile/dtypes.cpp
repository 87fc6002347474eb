#include "limbic/nn/compile/dtypes.h"

#include <algorithm>

#include "limbic/core/processor.h"
#include "limbic/nn/compile/roles.h"
#include "limbic/nn/cpu/onednn/compat.h"
#include "limbic/nn/ops/conv2d.h"
#include "limbic/nn/ops/quantise.h"
#include "limbic/nn/passes/passes.h"

namespace limbic {
namespace {

// Which layers of an int8 plan stay wide: those that are named, and the last, behind which nothing
// has weights. A Linear that makes the scores is f32, so is a convolution that does.
PerNode<bool> wide_layers(const Graph& graph, const PlanOptions& options) {
  PerNode<bool> wide(graph.size()), weights_behind(graph.size());
  for (int n = graph.size(); n-- > 0;) {
    const Node& node = graph.node(n);
    const bool has_weights = !node.parameters.empty();
    wide[n] =
        lies_within_any(node.name, options.full_precision) || (has_weights && !weights_behind[n]);
    for (int s : node.src)
      if (has_weights || weights_behind[n]) weights_behind[s] = true;
  }
  return wide;
}

// Which values are stored in 8 bits: what each would like to be, less what somebody cannot compute.
class Chooser {
 public:
  Chooser(const Graph& graph, const Calibration& calibration, DType wide,
          const PerNode<bool>& keep_wide)
      : graph_(graph),
        calibration_(calibration),
        wide_(wide),
        keep_wide_(keep_wide),
        uses_(graph, {}),
        dtypes_(graph.size()) {}

  PerNode<DType> choose(const PerNode<Shape>& shapes) {
    for (int n = 0; n < graph_.size(); ++n)
      dtypes_[n] = shapes[n].size() != 4 ? DType::f32 : wish(n);
    for (bool changed = true; changed;) {
      changed = false;
      for (int n = 0; n < graph_.size(); ++n)
        if (is_8_bit(dtypes_[n]) && !is_possible(n)) {
          dtypes_[n] = wide_;
          changed = true;
        }
    }
    return dtypes_;
  }

 private:
  bool is_never_negative(int n) const {
    const Node& node = graph_.node(n);
    if (!node.op || node.op->sign() == Op::Sign::any) return false;
    return node.op->sign() == Op::Sign::never_negative ||
           std::all_of(node.src.begin(), node.src.end(),
                       [&](int s) { return is_never_negative(s); });
  }

  DType wish(int n) const {
    const Node& node = graph_.node(n);
    if (op_as<Quantise>(graph_, n)) return is_never_negative(n) ? DType::u8 : DType::i8;
    if (!node.op || keep_wide_[n] || calibration_.count(node.name) == 0) return wide_;
    const bool writes_8_bits =
        node.op->computes(DType::u8, DType::u8) || node.op->computes(wide_, DType::u8);
    if (is_never_negative(n) && writes_8_bits) return DType::u8;
    const auto& readers = uses_.readers(n);
    const bool is_summed = readers.size() == 1 && is_sum_of(readers[0], n);
    return is_summed && op_as<Conv2d>(graph_, n) ? DType::i8 : wide_;
  }

  // The reader is a convolution that writes its sum over n.
  bool is_sum_of(int reader, int n) const {
    const auto* conv = op_as<Conv2d>(graph_, reader);
    return conv && conv->fused().sum && graph_.node(reader).src[1] == n;
  }

  // Whether node n can read what s would store.
  bool reads(int n, int s) const {
    if (is_sum_of(n, s)) return is_8_bit(dtypes_[s]) == is_8_bit(dtypes_[n]);
    return graph_.node(n).op->computes(dtypes_[s], dtypes_[n]);
  }

  bool is_possible(int n) const {
    if (op_as<Quantise>(graph_, n)) return true;
    const auto &src = graph_.node(n).src, &readers = uses_.readers(n);
    return std::all_of(src.begin(), src.end(), [&](int s) { return reads(n, s); }) &&
           std::all_of(readers.begin(), readers.end(), [&](int r) {
             return reads(r, n) && (dtypes_[n] == DType::u8 || is_sum_of(r, n));
           });
  }

  const Graph& graph_;
  const Calibration& calibration_;
  DType wide_;
  const PerNode<bool>& keep_wide_;
  Uses uses_;
  PerNode<DType> dtypes_;
};

PerNode<DType> int8_dtypes(const Graph& graph, const PerNode<Shape>& shapes,
                           const PlanOptions& options) {
  const Uses uses(graph, options);
  const PerNode<bool> layers = wide_layers(graph, options);
  PerNode<bool> keep_wide(graph.size());
  for (int n = 0; n < graph.size(); ++n) {
    if (uses.is_kept(n) || layers[n]) keep_wide[n] = true;
    if (layers[n])  // so is what it reads
      for (int s : graph.node(n).src) keep_wide[s] = true;
  }
  return quantised_dtypes(graph, shapes, options.calibration,
                          onednn::has_bf16_instructions() ? DType::bf16 : DType::f32, keep_wide);
}

}  // namespace

PerNode<DType> quantised_dtypes(const Graph& graph, const PerNode<Shape>& shapes,
                                const Calibration& calibration, DType wide,
                                const PerNode<bool>& keep_wide) {
  return Chooser(graph, calibration, wide, keep_wide).choose(shapes);
}

void require_dtype(const PlanOptions& o) {
  const DType dtype = o.dtype;
  require(dtype == DType::f32 || dtype == DType::bf16 || dtype == DType::i8,
          "a plan computes in F32, BF16 or I8, not in ", to_string(dtype));
  require(dtype != DType::bf16 || onednn::has_bf16_instructions(), processor_name(),
          " has no bf16 instructions (AVX512_BF16) that oneDNN may use, without which bf16 is "
          "slower than f32: use f32");
  if (dtype != DType::i8) return;
  require(onednn::has_int8_instructions() || o.slow_int8, processor_name(),
          " has no int8 instructions (AVX512_VNNI) that oneDNN may use, without which int8 is "
          "slower than f32: use f32");
  require(!o.gradients && !o.batch_statistics, "int8 is for inference: train in f32 or bf16");
  require(!o.calibration.empty(), "int8 needs a calibration (nn/calibrate.h)");
}

// Not the picture itself (few channels, and what is lost there is lost for all layers), not what a
// layer reads that is to be wide, and not what nobody has measured.
Graph quantise(const Graph& graph, const PlanOptions& options) {
  const PerNode<DType> dtypes = int8_dtypes(graph, graph.infer(options.input), options);
  PerNode<bool> convolutions = wide_layers(graph, options);
  for (int n = 0; n < graph.size(); ++n) {
    const Node& node = graph.node(n);
    convolutions[n] = node.op && node.src[0] != 0 && !convolutions[n] &&
                      options.calibration.count(graph.node(node.src[0]).name) > 0;
  }
  return passes::quantise_sources(graph, dtypes, convolutions);
}

PerNode<Stored> choose_dtypes(const Graph& graph, const PerNode<Shape>& shapes,
                              const PlanOptions& options) {
  PerNode<Stored> stored(graph.size());
  if (options.dtype != DType::i8) {
    for (int n = 0; n < graph.size(); ++n)
      stored[n].dtype = shapes[n].size() == 4 ? options.dtype : DType::f32;
    return stored;
  }
  const PerNode<DType> dtypes = int8_dtypes(graph, shapes, options);
  for (int n = 0; n < graph.size(); ++n) {
    stored[n].dtype = dtypes[n];
    if (!is_8_bit(dtypes[n])) continue;
    const Node& node = graph.node(n);
    const bool is_quantise = op_as<Quantise>(graph, n) != nullptr;
    const std::string& measured = is_quantise ? graph.node(node.src[0]).name : node.name;
    const float range = std::max(options.calibration.at(measured), 1e-6f);
    stored[n].scale = range / (dtypes[n] == DType::u8 ? 255.0f : 127.0f);
  }
  return stored;
}

}  // namespace limbic
