#pragma once
// The naive twins: every op as the plainest loops in f64 that say what it means. A student reads
// these first; the fast ops of nn/ops are tested against them.
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "limbic/nn/graph/graph.h"
#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/ops/conv2d.h"
#include "limbic/nn/ops/linear.h"
#include "limbic/nn/ops/pool2d.h"
#include "limbic/nn/ops/reshape.h"

namespace limbic::naive {

/// A dense row-major array of doubles; images are (N,C,H,W).
struct Array {
  Shape shape;
  std::vector<double> values;

  explicit Array(Shape s = {}) : shape(std::move(s)), values(static_cast<size_t>(count(shape))) {}
  double& at(int64_t n, int64_t c, int64_t y = 0, int64_t x = 0) {
    return values[static_cast<size_t>(index(n, c, y, x))];
  }
  double at(int64_t n, int64_t c, int64_t y = 0, int64_t x = 0) const {
    return values[static_cast<size_t>(index(n, c, y, x))];
  }
  int64_t height() const { return shape.size() == 4 ? shape[2] : 1; }
  int64_t width() const { return shape.size() == 4 ? shape[3] : 1; }

 private:
  int64_t index(int64_t n, int64_t c, int64_t y, int64_t x) const {
    return ((n * shape[1] + c) * height() + y) * width() + x;
  }
};

/// The options' padding, or what "same" comes to: for ceil(size / stride) windows.
Padding padding_of(const Conv2dOptions& o, const Shape& src);
Array conv2d(const Array& src, const Array& weight, const Array& bias, const Conv2dOptions& o,
             const Shape& dst);
/// Normalises with the batch's statistics and updates running_mean and running_var where
/// `batch_statistics`, else with the running ones.
Array batch_norm(const Array& src, const Array& weight, const Array& bias, Array& running_mean,
                 Array& running_var, const BatchNormOptions& o, bool batch_statistics);
Array relu(const Array& src, double cap);
Array max_pool2d(const Array& src, const Pool2dOptions& o, const Shape& dst);
Array avg_pool2d(const Array& src, const Pool2dOptions& o, const Shape& dst);
Array adaptive_avg_pool2d(const Array& src, const Shape& dst);
Array linear(const Array& src, const Array& weight, const Array& bias);
Array add(const Array& a, const Array& b);
Array concat(const std::vector<Array>& src, const Shape& dst);
Array softmax(const Array& src);
Array flatten(const Array& src);
Array slice_pad(const Array& src, const ShortcutOptions& o, const Shape& dst);

/// The twin of one op: its output from its sources and parameters, in the order of
/// Op::parameters().
using Twin = std::function<Array(const Op& op, const std::vector<Array>& src,
                                 const std::vector<Array*>& parameters, const Shape& dst)>;

struct Mode {
  bool batch_statistics = false;
  std::vector<std::string> frozen = {};  ///< As in PlanOptions: these running statistics are used.
  /// Rounds every op's result: what the plain computation would give in a smaller dtype.
  std::function<double(double)> round = {};
  Twin twin = {};  ///< Of ops that have none here: whoever adds an op brings its own.
};
using Arrays = std::map<std::string, Array>;

/// The output of every node of a graph, computed by the loops above. Dropout is the identity.
/// `parameters` by full name; running statistics in it are updated in batch-statistics mode.
std::vector<Array> evaluate(const Graph& graph, Arrays& parameters, const Array& input,
                            const Mode& mode);

/// Whether this batch norm normalises with the batch's statistics.
bool uses_batch_statistics(const Node& node, const Mode& mode);

Array from_tensor(const Tensor& tensor);
Arrays from_parameters(const Parameters& parameters);

}  // namespace limbic::naive
