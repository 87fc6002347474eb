#pragma once
// The three directions of a convolution, and the ways in which each is computed.
#include <optional>

#include "limbic/nn/cpu/winograd/convolution.h"
#include "limbic/nn/cpu/winograd/weight_gradient.h"
#include "limbic/nn/ops/conv2d_kernel.h"

namespace limbic {

/// How forward and the data gradient are computed.
enum class Algorithm { direct, winograd_2, winograd_4 };
const char* name_of(Algorithm algorithm);

winograd::Geometry geometry(const Conv2d& op, const Shape& src);

/// What all directions are told. Each takes its scratch memory from the builder.
class ConvolutionProblem {
 public:
  ConvolutionProblem(const Conv2d& op, KernelBuilder& b);

  const Conv2d& op;
  KernelBuilder& builder;
  bool has_bias;
  onednn::ConvolutionShape shape;
  onednn::Desc canonical_weight;
  bool wants_data, wants_weight, wants_bias;  ///< The gradients of src, weight and bias.
  /// With what is fused into it; oneDNN makes its gradients from it, too.
  dnnl::convolution_forward::primitive_desc forward(const onednn::ConvolutionShape& of) const;
  const dnnl::convolution_forward::primitive_desc& forward() const;  ///< Of shape, made once.

 private:
  mutable std::optional<dnnl::convolution_forward::primitive_desc> forward_;
};

/// One direction, computed in one way. The packed weight, the master, has one layout, which is
/// agreed from what all directions want; who wants another reorders it in each run.
class Direction {
 public:
  virtual ~Direction() = default;
  virtual void run(const Buffers& b) const = 0;
  /// The layout in which it wants the weight, or gives its gradient.
  virtual onednn::Desc weights() const = 0;
  /// Called once, before the first run.
  virtual void agree(const onednn::Desc& master, KernelBuilder& b) = 0;
  virtual std::string name() const = 0;
  /// True where it can add to the gradient of src.
  virtual bool can_add() const { return false; }
};

std::unique_ptr<Direction> direct_forward(const ConvolutionProblem& problem);
std::unique_ptr<Direction> direct_data_gradient(const ConvolutionProblem& problem);
/// Also the bias' gradient.
std::unique_ptr<Direction> direct_weight_gradient(const ConvolutionProblem& problem);

/// Forward or data gradient by nn/cpu/winograd. In inference the weight lies packed, else as HWIO.
class WinogradDirection : public Direction {
 public:
  WinogradDirection(const ConvolutionProblem& problem, Algorithm algorithm, bool backward_data);
  void run(const Buffers& b) const override;
  onednn::Desc weights() const override;
  void agree(const onednn::Desc&, KernelBuilder&) override {}
  std::string name() const override;
  bool can_add() const override { return true; }
  /// (O,I,3,3) for a run in inference.
  void pack(const float* weight, float* packed) const { convolution_.pack(weight, {}, packed); }

 private:
  bool backward_data_, has_bias_, sum_, relu_;
  onednn::Desc hwio_;
  winograd::Convolution convolution_;
  int scratch_;
  std::optional<int> packed_;  ///< In training: packed anew in each run.
};

/// Without a bias.
std::unique_ptr<Direction> winograd_weight_gradient(const ConvolutionProblem& problem);

}  // namespace limbic
