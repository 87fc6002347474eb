#include "limbic/walk/taps.h"

#include <algorithm>

#include "limbic/nn/ops/add.h"
#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/ops/concat.h"
#include "limbic/nn/ops/dropout.h"
#include "limbic/nn/ops/linear.h"
#include "limbic/nn/ops/pool2d.h"
#include "limbic/nn/ops/reshape.h"
#include "limbic/nn/ops/softmax.h"

namespace limbic::walk {
namespace {

using Taps = std::vector<Tap>;

template <class T>
const T* as(const Op& op) {
  return dynamic_cast<const T*>(&op);
}

bool lies_in(const Shape& shape, int64_t y, int64_t x) {
  return y >= 0 && x >= 0 && y < shape[2] && x < shape[3];
}

Taps of_convolution(const Conv2d& conv, const Shape& src, const Cell& cell) {
  const Conv2dOptions& o = conv.options();
  const Padding p = conv.padding(src);
  const int64_t inputs = src[1] / o.groups, first = cell.c / (o.out_channels / o.groups) * inputs;
  Taps out;
  for (int64_t i = first; i < first + inputs; ++i)
    for (int64_t u = 0; u < o.kernel_size.h; ++u)
      for (int64_t v = 0; v < o.kernel_size.w; ++v) {
        const int64_t y = cell.y * o.stride.h - p.top + u * o.dilation.h;
        const int64_t x = cell.x * o.stride.w - p.left + v * o.dilation.w;
        out.push_back({lies_in(src, y, x) ? 0 : -1, {i, y, x}});
      }
  return out;
}

Taps of_pool(const Pool2dOptions& o, const Shape& src, const Cell& cell) {
  Taps out;
  for (int64_t u = 0; u < o.kernel_size.h; ++u)
    for (int64_t v = 0; v < o.kernel_size.w; ++v) {
      const int64_t y = cell.y * o.stride.h - o.padding.top + u;
      const int64_t x = cell.x * o.stride.w - o.padding.left + v;
      if (lies_in(src, y, x)) out.push_back({0, {cell.c, y, x}});
    }
  return out;
}

// Windows that cover the picture, as AdaptiveAvgPool2d has them.
Taps of_adaptive_pool(const Size2& size, const Shape& src, const Cell& cell) {
  const auto end = [](int64_t i, int64_t n, int64_t of) { return ((i + 1) * n + of - 1) / of; };
  Taps out;
  for (int64_t y = cell.y * src[2] / size.h; y < end(cell.y, src[2], size.h); ++y)
    for (int64_t x = cell.x * src[3] / size.w; x < end(cell.x, src[3], size.w); ++x)
      out.push_back({0, {cell.c, y, x}});
  return out;
}

Taps of_row(const Shape& src) {
  Taps out;
  for (int64_t c = 0; c < src[1]; ++c) out.push_back({0, {c, 0, 0}});
  return out;
}

Taps of_concat(const std::vector<Shape>& src, Cell cell) {
  for (size_t i = 0; i < src.size(); cell.c -= src[i++][1])
    if (cell.c < src[i][1]) return {{static_cast<int>(i), cell}};
  return {};
}

Taps of_flatten(const Shape& src, const Cell& cell) {
  if (src.size() == 2) return {{0, cell}};
  const int64_t places = src[2] * src[3];
  return {{0, {cell.c / places, cell.c % places / src[3], cell.c % src[3]}}};
}

Taps of_slice(const ShortcutOptions& o, const Shape& src, const Cell& cell) {
  const int64_t c = cell.c - o.channels_before;
  return {{c >= 0 && c < src[1] ? 0 : -1, {c, cell.y * o.stride.h, cell.x * o.stride.w}}};
}

}  // namespace

Taps taps(const Graph& graph, const std::vector<Shape>& shapes, int node, const Cell& cell) {
  const Node& n = graph.node(node);
  const Op& op = *n.op;
  std::vector<Shape> src;
  for (const int s : n.src) src.push_back(shapes[static_cast<size_t>(s)]);
  if (const auto* conv = as<Conv2d>(op)) return of_convolution(*conv, src[0], cell);
  if (const auto* pool = as<Pool2d>(op)) return of_pool(pool->options(), src[0], cell);
  if (const auto* pool = as<AdaptiveAvgPool2d>(op))
    return of_adaptive_pool(pool->output(), src[0], cell);
  if (as<GlobalAvgPool>(op)) return of_adaptive_pool(1, src[0], cell);
  if (as<Linear>(op) || as<Softmax>(op)) return of_row(src[0]);
  if (as<Concat>(op)) return of_concat(src, cell);
  if (as<Flatten>(op)) return of_flatten(src[0], cell);
  if (const auto* slice = as<StridedSlicePad>(op)) return of_slice(slice->options(), src[0], cell);
  if (as<Add>(op)) return {{0, cell}, {1, cell}};
  if (as<BatchNorm>(op) || as<Dropout>(op) || op.as_activation()) return {{0, cell}};
  return {};
}

bool shares_taps(const Op& op) {
  if (const auto* conv = as<Conv2d>(op)) return conv->options().groups == 1;
  return as<Linear>(op) || as<Softmax>(op);
}

}  // namespace limbic::walk
