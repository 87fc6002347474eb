#pragma once
#include <cstdint>

#include "nn/core/tensor.h"

namespace limbic {

/// Rows (N*H*W) and columns (C) of an activation as it lies in memory, channels last.
struct RowsColumns {
  int64_t rows, columns;
};
inline RowsColumns rows_columns(const Shape& shape) { return {count(shape) / shape[1], shape[1]}; }

/// dst[i] += src[i], in parallel.
void add_to(float* dst, const float* src, int64_t n);
/// dst[i] = src[i], in parallel.
void copy_to(float* dst, const float* src, int64_t n);

}  // namespace limbic
