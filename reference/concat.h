#pragma once
#include "array.h"

namespace limbic::reference {

/// Joins along channels: (N,C1,H,W), (N,C2,H,W), ... -> (N,C1+C2+...,H,W), or without H and W.
/// Throws std::invalid_argument where there is nothing to join or shapes differ but in channels.
Array concat(const std::vector<Array>& src);

/// The gradient of each src: its channels of dy.
std::vector<Array> concat_backward(const std::vector<Array>& src, const Array& dy);

}  // namespace limbic::reference
