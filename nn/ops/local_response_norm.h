#pragma once
#include "limbic/nn/graph/graph.h"

namespace limbic {

struct LocalResponseNormOptions {
  int64_t size = 5;  ///< Channels summed over: size / 2 before this one, (size - 1) / 2 behind it.
  double alpha = 1e-4, beta = 0.75, k = 1;
};

/// dst(n,c,y,x) = src(n,c,y,x) * s(n,c,y,x)^-beta, where s = k + alpha / size * the sum of src^2
/// over the neighbouring channels: AlexNet's (Krizhevsky et al. 2012, section 3.3), as Caffe's LRN
/// and torch.nn.LocalResponseNorm have it. (N,C,H,W) -> the same. Backward: diff_src(c) =
/// diff_dst(c) s(c)^-beta - 2 alpha beta / size src(c) * the sum of diff_dst src s^(-beta-1) over
/// the channels that c is a neighbour of. Plain twin: reference/local_response_norm.h.
class LocalResponseNorm : public Op {
 public:
  explicit LocalResponseNorm(const LocalResponseNormOptions& o) : options_(o) {
    require(o.size >= 1, "local_response_norm: size must be positive, got ", o.size);
    require(o.k > 0 && o.alpha >= 0, "local_response_norm: expected k > 0 and alpha >= 0, got ",
            o.k, " and ", o.alpha);
  }
  const char* type() const override { return "local_response_norm"; }
  Shape infer(std::span<const Shape> src) const override;
  std::unique_ptr<Kernel> compile(KernelBuilder& builder) const override;
  Sign sign() const override { return Sign::of_src; }
  bool computes(DType src, DType dst) const override { return is_wide(src) && dst == src; }
  const LocalResponseNormOptions& options() const { return options_; }

 private:
  LocalResponseNormOptions options_;
};

Value local_response_norm(Value src, const LocalResponseNormOptions& options);

}  // namespace limbic
