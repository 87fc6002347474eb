#pragma once
#include "array.h"

namespace limbic::reference {

struct LocalResponseNormOptions {
  int64_t size = 5;  ///< Channels summed over: size / 2 before this one, (size - 1) / 2 behind it.
  double alpha = 1e-4, beta = 0.75, k = 1;
};

/// dst(c) = src(c) s(c)^-beta, s(c) = k + alpha / size * the sum of src(j)^2 over the channels j
/// from c - size / 2 to c + (size - 1) / 2 that exist; at each (n,y,x). (N,C,H,W) -> the same.
/// Throws std::invalid_argument for another rank.
Array local_response_norm(const Array& src, const LocalResponseNormOptions& o);

/// diff_src(j) = dy(j) s(j)^-beta - the sum over the channels c that have j among theirs of
/// 2 alpha beta / size src(j) dy(c) src(c) s(c)^(-beta-1).
Array local_response_norm_backward(const Array& src, const LocalResponseNormOptions& o,
                                   const Array& dy);

}  // namespace limbic::reference
