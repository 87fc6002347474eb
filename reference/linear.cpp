#include "linear.h"

namespace limbic::reference {
namespace {

void require_fit(const Array& src, const Array& weight) {
  require(src.shape.size() == 2 && weight.shape.size() == 2 && src.shape[1] == weight.shape[1],
          "linear: weight ", weight.shape, " does not fit src ", src.shape);
}

}  // namespace

Array linear(const Array& src, const Array& weight, const Array& bias) {
  require_fit(src, weight);
  if (!bias.empty()) require_shape("linear", "bias", bias, {weight.shape[0]});
  Array dst({src.shape[0], weight.shape[0]});
  for (int64_t n = 0; n < src.shape[0]; ++n)
    for (int64_t o = 0; o < weight.shape[0]; ++o) {
      double sum = bias.empty() ? 0 : bias[o];
      for (int64_t i = 0; i < src.shape[1]; ++i) sum += weight.at(o, i) * src.at(n, i);
      dst.at(n, o) = sum;
    }
  return dst;
}

Gradients linear_backward(const Array& src, const Array& weight, const Array& dy) {
  require_fit(src, weight);
  require_shape("linear_backward", "dy", dy, {src.shape[0], weight.shape[0]});
  Gradients d{Array(src.shape), Array(weight.shape), Array({weight.shape[0]})};
  for (int64_t n = 0; n < src.shape[0]; ++n)
    for (int64_t o = 0; o < weight.shape[0]; ++o) {
      d.bias[o] += dy.at(n, o);
      for (int64_t i = 0; i < src.shape[1]; ++i) {
        d.src.at(n, i) += weight.at(o, i) * dy.at(n, o);
        d.weight.at(o, i) += src.at(n, i) * dy.at(n, o);
      }
    }
  return d;
}

}  // namespace limbic::reference
