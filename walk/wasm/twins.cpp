// The plain twins for a page: reference/ compiled to WebAssembly, behind functions that take a list
// of numbers and give one. walk/page/twins.js writes and reads the lists; `make walk-wasm` builds
// walk/wasm/twins.wasm, which the page holds. A shape or option that does not fit ends the module,
// as reference/ throws: the page checks what people type before it asks.
#include <vector>

#include "batch_norm.h"
#include "conv2d.h"
#include "pool2d.h"
#include "sgd.h"
#include "softmax.h"
#include "winograd.h"

using namespace limbic::reference;

namespace {

std::vector<double> list, result;

// The list's numbers in order. An array is its rank, its dimensions, its values.
class Reader {
 public:
  double number() { return list.at(at_++); }
  int64_t whole() { return static_cast<int64_t>(number()); }
  Size2 size() {
    const int64_t h = whole();
    return {h, whole()};
  }
  Padding padding() {
    const int64_t top = whole(), left = whole(), bottom = whole();
    return {top, left, bottom, whole()};
  }
  Array array() {
    Shape shape(static_cast<size_t>(whole()));
    for (int64_t& d : shape) d = whole();
    if (shape.empty()) return {};
    Array out(shape);
    for (double& x : out.values) x = number();
    return out;
  }

 private:
  size_t at_ = 0;
};

// How many numbers there are, then the arrays' values one after the other.
const double* answer(const std::vector<const Array*>& arrays) {
  result = {0};
  for (const Array* a : arrays) result.insert(result.end(), a->values.begin(), a->values.end());
  result[0] = static_cast<double>(result.size() - 1);
  return result.data();
}

Conv2dOptions conv2d_options(Reader& in) {
  Conv2dOptions o{.stride = in.size(), .padding = in.padding(), .dilation = in.size()};
  o.groups = in.whole();
  return o;
}

}  // namespace

extern "C" {

// Where the page writes a list of n numbers before it calls one of these.
double* twin_list(int n) {
  list.resize(static_cast<size_t>(n));
  return list.data();
}

// src, weight, bias (rank 0: none), stride, padding, dilation, groups.
const double* twin_conv2d() {
  Reader in;
  const Array src = in.array(), weight = in.array(), bias = in.array();
  const Array dst = conv2d(src, weight, bias, conv2d_options(in));
  return answer({&dst});
}

// src, weight, dy, stride, padding, dilation, groups -> the gradients of src, weight, bias.
const double* twin_conv2d_backward() {
  Reader in;
  const Array src = in.array(), weight = in.array(), dy = in.array();
  const Gradients d = conv2d_backward(src, weight, conv2d_options(in), dy);
  return answer({&d.src, &d.weight, &d.bias});
}

// 1 for the maximum or 0, whether padding counts, whether sizes round up, src, kernel size, stride,
// padding.
const double* twin_pool2d() {
  Reader in;
  const bool max = in.whole() != 0, counts = in.whole() != 0, ceil = in.whole() != 0;
  const Array src = in.array();
  Pool2dOptions o{.kernel_size = in.size(), .stride = in.size(), .padding = in.padding()};
  o.ceil_mode = ceil;
  o.count_include_pad = counts;
  const Array dst = max ? max_pool2d(src, o) : avg_pool2d(src, o);
  return answer({&dst});
}

// src, weight, bias, mean, var, epsilon.
const double* twin_frozen_batch_norm() {
  Reader in;
  const Array src = in.array(), weight = in.array(), bias = in.array();
  const Moments moments{in.array(), in.array()};
  const Array dst = frozen_batch_norm(src, weight, bias, moments, {.epsilon = in.number()});
  return answer({&dst});
}

// src, weight, bias, epsilon: normalised with its own moments -> dst, mean, var.
const double* twin_batch_norm() {
  Reader in;
  const Array src = in.array(), weight = in.array(), bias = in.array();
  Moments running{Array(weight.shape), Array(weight.shape)};
  const Moments own = batch_moments(src);
  const Array dst = batch_norm(src, weight, bias, running, {.epsilon = in.number()});
  return answer({&dst, &own.mean, &own.var});
}

// src (N,C).
const double* twin_softmax() {
  Reader in;
  const Array dst = softmax(in.array());
  return answer({&dst});
}

// d (1,1,4,4), g (1,1,3,3) -> the four parts of WinogradTile.
const double* twin_winograd() {
  Reader in;
  const Array d = in.array();
  const WinogradTile t = winograd_tile(d, in.array());
  return answer({&t.input, &t.weight, &t.product, &t.output});
}

// weight, velocity, gradient, learning rate, momentum, weight decay -> the new weight and velocity.
const double* twin_sgd() {
  Reader in;
  Array weight = in.array(), velocity = in.array();
  const Array gradient = in.array();
  SgdOptions o{.learning_rate = in.number(), .momentum = in.number()};
  o.weight_decay = in.number();
  sgd_step(weight, velocity, gradient, o);
  return answer({&weight, &velocity});
}

}  // extern "C"
