#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "limbic/core/tensor.h"

namespace limbic {

/// The range of each activation on real pictures, by the node's name in the fused graph: what int8
/// needs to choose its scales (nn/calibrate.h).
using Calibration = std::map<std::string, float>;

/// What a plan computes, how exactly, and what of it can be read.
struct PlanOptions {
  Shape input;  ///< (N,C,H,W).
  /// Of activations: f32; bf16 or i8 where the processor has their instructions. Parameters,
  /// statistics and (N,C) values stay f32. i8 is for inference and needs a calibration.
  DType dtype = DType::f32;
  Calibration calibration;
  /// i8: layers, or paths that hold layers, that are computed in the wider type.
  std::vector<std::string> full_precision;
  bool batch_statistics = false;  ///< Batch norm normalises with the batch's statistics.
  /// Of a batch that lies in several processes: makes sums of this one's share those of the whole,
  /// in forward and in backward, in the order of the layers. Empty: the batch is all here.
  std::function<void(std::span<double> sums)> reduce_statistics;
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
  bool fuse = true;      ///< Rewrite the graph into a faster one (nn/passes).
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

}  // namespace limbic
