#pragma once
// The loops of batch norm over rows (pixels) and columns (channels), for f32 and bf16 elements.
#include <cstdint>

#include "limbic/core/bfloat16.h"
#include "limbic/core/parallel.h"

namespace limbic {

/// Two f64 sums for each column, and three f32 values a column that are free to use.
struct Reduction {
  double *first, *second;
  float* scratch;
};

/// Memory of a reduction by `team` threads, reduction_bytes(team, columns) of it.
struct ReductionMemory {
  void* data;
  int64_t team;
};
int64_t reduction_bytes(int64_t team, int64_t columns);

namespace detail {
struct Partials {
  double* of_thread(int64_t t) const { return partial + 2 * t * columns; }
  float* scratch_of(int64_t t) const { return scratch + 2 * t * columns; }
  Reduction add_up() const;
  int64_t team, columns;
  double *partial, *total;
  float* scratch;
};
Partials prepare(const ReductionMemory& memory, int64_t columns);
}  // namespace detail

/// Runs body(begin, end, 2 * columns of f32 scratch, first, second) over one range of rows a thread
/// and adds the ranges up in order: the result depends on the number of threads, not their timing.
template <class Body>
Reduction reduce(const ReductionMemory& memory, int64_t rows, int64_t columns, const Body& body) {
  const detail::Partials p = detail::prepare(memory, columns);
  parallel_for(p.team, [&](int64_t t) {
    double* own = p.of_thread(t);
    body(rows * t / p.team, rows * (t + 1) / p.team, p.scratch_of(t), own, own + columns);
  });
  return p.add_up();
}

/// Mean (first) and biased variance (second) of each column.
template <class T>
Reduction batch_moments(const T* x, int64_t rows, int64_t columns, const ReductionMemory& memory);

template <class T>
struct Rows {
  const T* x;    ///< x_pitch elements from row to row.
  const T* add;  ///< As y; or null.
  T* y;          ///< y_pitch elements from row to row.
  int64_t x_pitch, y_pitch, rows, columns;
};
struct Affine {
  const float *mean, *scale, *bias;
};
/// What is done to a sum before it is stored; a capped ReLU is min(max(x, 0), cap).
enum class Then { nothing, relu, capped_relu };
/// y = (x - mean) * scale + bias + add, then what `then` says. Subtracting the mean first costs
/// nothing beside the memory traffic and loses no digits where the mean is large. y may be x.
template <class T>
void normalise(const Rows<T>& r, const Affine& a, Then then, float cap);

template <class T>
struct QuantisedRows {
  const T* x;  ///< Dense rows.
  uint8_t* y;  ///< y_pitch elements from row to row.
  const float *scale, *bias;
  int64_t y_pitch, rows, columns;
};
/// y = x * scale + bias, rounded and held within 0 and 255.
template <class T>
void quantise_rows(const QuantisedRows<T>& r);
template <>
void quantise_rows(const QuantisedRows<float>& r);
template <>
void quantise_rows(const QuantisedRows<BFloat16>& r);

/// Where a gradient passes the ReLU behind the norm.
enum class Mask {
  none,        ///< There is no ReLU.
  recomputed,  ///< Where 0 < (x - mean) * scale + bias < cap: one array less to read.
  stored,      ///< Where 0 < y < cap: something was added before the ReLU.
};

template <class T>
struct GradientRows {
  Mask mask;
  float cap;  ///< Of the ReLU; infinity where it has none.
  const T *dy, *x;
  const T* y;  ///< Read under Mask::stored alone.
  Affine affine;
  int64_t x_pitch, y_pitch, rows, columns;
};
/// sums += sum(dy), products += sum(dy (x - mean)).
template <class T>
void add_gradient_sums(const GradientRows<T>& g, float* scratch, double* sums, double* products);

struct InputGradient {
  const float *a, *slope, *mean;
};
/// dx (pitch x_pitch) = a (dy - mean - slope (x - mean of x)), or added to dx. What cancels is
/// subtracted before it is scaled: over one or two elements a channel nearly all does.
template <class T>
void input_gradient(const GradientRows<T>& g, const InputGradient& k, T* dx, bool add);
/// dz (pitch y_pitch) = dy, or added to dz.
template <class T>
void mask_gradient(const GradientRows<T>& g, T* dz, bool add);

}  // namespace limbic
