#include "nn/ops/batch_norm.h"

#include <algorithm>
#include <cmath>

#include "nn/core/parallel.h"
#include "nn/core/simd.h"
#include "nn/kernel.h"
#include "nn/ops/elementwise.h"

namespace limbic {

Shape BatchNorm::infer(std::span<const Shape> src) const {
  require(src[0].size() >= 2 && src[0][1] == channels_, "expected src (N,", channels_,
          ",...), got ", to_string(src[0]));
  if (fused_.add)
    require(src[1] == src[0], "cannot add ", to_string(src[1]), " to ", to_string(src[0]));
  return src[0];
}

std::vector<ParameterSpec> BatchNorm::parameters() const {
  const Initialiser one{Initialiser::Kind::constant, 1}, zero{};
  return {{.name = "weight", .shape = {channels_}, .init = one},
          {.name = "bias", .shape = {channels_}, .init = zero},
          {.name = "running_mean", .shape = {channels_}, .init = zero, .trainable = false},
          {.name = "running_var", .shape = {channels_}, .init = one, .trainable = false},
          {.name = "num_batches_tracked",
           .shape = {},
           .init = zero,
           .trainable = false,
           .dtype = DType::i64}};
}

namespace {

// Rows summed in f32 before they go to the f64 sums: enough to be fast, few enough to be exact.
constexpr int64_t block_rows = 8;

// sums[c] += sum of (x - shift), squares[c] += sum of (x - shift)^2 over `rows` rows. The shift
// (the first row) keeps the difference of squares from cancelling.
LIMBIC_MULTIVERSION void add_moments(const float* __restrict x, const float* __restrict shift,
                                     int64_t rows, int64_t columns, float* __restrict scratch,
                                     double* __restrict sums, double* __restrict squares) {
  float* __restrict s = scratch, * __restrict q = scratch + columns;
  for (int64_t begin = 0; begin < rows; begin += block_rows) {
    const int64_t end = std::min(rows, begin + block_rows);
    for (int64_t c = 0; c < columns; ++c) s[c] = q[c] = 0;
    for (int64_t r = begin; r < end; ++r)
      for (int64_t c = 0; c < columns; ++c) {
        const float d = x[r * columns + c] - shift[c];
        s[c] += d;
        q[c] += d * d;
      }
    for (int64_t c = 0; c < columns; ++c) {
      sums[c] += static_cast<double>(s[c]);
      squares[c] += static_cast<double>(q[c]);
    }
  }
}

// y = relu((x - mean) * scale + bias + z), z and the ReLU optional. Subtracting the mean first
// costs nothing beside the memory traffic and loses no digits where the mean is large.
LIMBIC_MULTIVERSION void normalise(const float* x, const float* __restrict z, float* y,
                                   const float* __restrict mean, const float* __restrict scale,
                                   const float* __restrict bias, int64_t rows, int64_t columns,
                                   bool relu) {
  for (int64_t r = 0; r < rows; ++r) {
    const float* in = x + r * columns;  // may be out itself
    float* out = y + r * columns;
    if (z) {
      const float* __restrict add = z + r * columns;
      for (int64_t c = 0; c < columns; ++c) {
        const float v = (in[c] - mean[c]) * scale[c] + bias[c] + add[c];
        out[c] = relu && v < 0 ? 0.0f : v;
      }
    } else {
      for (int64_t c = 0; c < columns; ++c) {
        const float v = (in[c] - mean[c]) * scale[c] + bias[c];
        out[c] = relu && v < 0 ? 0.0f : v;
      }
    }
  }
}

// sums[c] += sum(dy), products[c] += sum(dy (x - mean)); dy is masked where y is 0 if y is given.
LIMBIC_MULTIVERSION void add_gradient_sums(const float* __restrict dy, const float* __restrict y,
                                           const float* __restrict x, const float* __restrict mean,
                                           int64_t rows, int64_t columns, float* __restrict scratch,
                                           double* __restrict sums, double* __restrict products) {
  float* __restrict s = scratch, * __restrict p = scratch + columns;
  for (int64_t begin = 0; begin < rows; begin += block_rows) {
    const int64_t end = std::min(rows, begin + block_rows);
    for (int64_t c = 0; c < columns; ++c) s[c] = p[c] = 0;
    for (int64_t r = begin; r < end; ++r) {
      const int64_t o = r * columns;
      if (y) {
        for (int64_t c = 0; c < columns; ++c) {
          const float all = dy[o + c], g = y[o + c] > 0 ? all : 0.0f;
          s[c] += g;
          p[c] += g * (x[o + c] - mean[c]);
        }
      } else {
        for (int64_t c = 0; c < columns; ++c) {
          s[c] += dy[o + c];
          p[c] += dy[o + c] * (x[o + c] - mean[c]);
        }
      }
    }
    for (int64_t c = 0; c < columns; ++c) {
      sums[c] += static_cast<double>(s[c]);
      products[c] += static_cast<double>(p[c]);
    }
  }
}

// dx = a dy + b (x - mean) + k, dy masked by y > 0 where y is given.
LIMBIC_MULTIVERSION void input_gradient(const float* __restrict dy, const float* __restrict y,
                                        const float* __restrict x, const float* __restrict mean,
                                        float* __restrict dx, const float* __restrict a,
                                        const float* __restrict b, const float* __restrict k,
                                        int64_t rows, int64_t columns) {
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t o = r * columns;
    if (y) {
      for (int64_t c = 0; c < columns; ++c) {
        const float all = dy[o + c], g = y[o + c] > 0 ? all : 0.0f;
        dx[o + c] = a[c] * g + b[c] * (x[o + c] - mean[c]) + k[c];
      }
    } else {
      for (int64_t c = 0; c < columns; ++c)
        dx[o + c] = a[c] * dy[o + c] + b[c] * (x[o + c] - mean[c]) + k[c];
    }
  }
}

// dz = dy, masked by y > 0 where y is given.
LIMBIC_MULTIVERSION void mask_gradient(const float* __restrict dy, const float* __restrict y,
                                       float* __restrict dz, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const float all = dy[i];
    dz[i] = !y || y[i] > 0 ? all : 0.0f;
  }
}

class BatchNormKernel : public Kernel {
 public:
  BatchNormKernel(const BatchNorm& op, KernelBuilder& b)
      : options_(op.options()),
        fused_(op.fused()),
        batch_statistics_(b.batch_statistics),
        extent_(rows_columns(b.dst_shape)),
        shape_(b.dst_shape),
        team_(threads()) {
    const int64_t c = extent_.columns;
    saved_ = b.saved(onednn::flat(3 * c));  // mean, 1/sqrt(var+eps), scale
    // For each thread two f64 sums; then two f32 blocks; then the folded sums.
    work_forward_ = b.temporary(onednn::bytes(work_bytes()), false);
    if (b.gradients) work_backward_ = b.temporary(onednn::bytes(work_bytes()), true);
  }

  void forward(const Buffers& b) const override {
    const int64_t rows = extent_.rows, columns = extent_.columns;
    float *mean = saved(b), *inverse = mean + columns, *scale = inverse + columns;
    if (batch_statistics_)
      compute_statistics(b, mean, inverse);
    else
      for (int64_t c = 0; c < columns; ++c) {
        mean[c] = b.packed[2].f32()[c];
        inverse[c] = static_cast<float>(
            1 / std::sqrt(static_cast<double>(b.packed[3].f32()[c]) + options_.epsilon));
      }
    const float *weight = b.packed[0].f32(), *bias = b.packed[1].f32();
    for (int64_t c = 0; c < columns; ++c) scale[c] = weight[c] * inverse[c];
    const float* z = fused_.add ? b.src[1].f32() : nullptr;
    parallel_ranges(rows, [&](int64_t begin, int64_t end) {
      const int64_t o = begin * columns;
      normalise(b.src[0].f32() + o, z ? z + o : nullptr, b.dst.f32() + o, mean, scale, bias,
                end - begin, columns, fused_.relu);
    });
  }

  void backward(const Buffers& b) const override {
    const int64_t rows = extent_.rows, columns = extent_.columns;
    const float *mean = saved(b), *inverse = mean + columns;
    const float* y = fused_.relu ? b.dst.f32() : nullptr;
    const float *dy = b.diff_dst.f32(), *x = b.src[0].f32();
    Work work = reduce(b.extra[static_cast<size_t>(work_backward_)],
                       [&](int64_t begin, int64_t end, float* scratch, double* s, double* p) {
                         const int64_t o = begin * columns;
                         add_gradient_sums(dy + o, y ? y + o : nullptr, x + o, mean, end - begin,
                                           columns, scratch, s, p);
                       });
    float *diff_weight = b.diff_packed[0].f32(), *diff_bias = b.diff_packed[1].f32();
    // The f32 blocks are free again: they become the coefficients of input_gradient.
    float *a = work.scratch, *slope = a + columns, *constant = slope + columns;
    for (int64_t c = 0; c < columns; ++c) {
      const double sum = work.sums[c], product = work.products[c] * inverse[c];
      if (diff_weight) diff_weight[c] = static_cast<float>(product);
      if (diff_bias) diff_bias[c] = static_cast<float>(sum);
      const double n = static_cast<double>(rows), scale = double{b.packed[0].f32()[c]} * inverse[c];
      a[c] = static_cast<float>(scale);
      slope[c] = batch_statistics_ ? static_cast<float>(-scale * product / n * inverse[c]) : 0.0f;
      constant[c] = batch_statistics_ ? static_cast<float>(-scale * sum / n) : 0.0f;
    }
    float* dx = b.diff_src[0].f32();
    float* dz = fused_.add ? b.diff_src[1].f32() : nullptr;
    parallel_ranges(rows, [&](int64_t begin, int64_t end) {
      const int64_t o = begin * columns;
      if (dx)
        input_gradient(dy + o, y ? y + o : nullptr, x + o, mean, dx + o, a, slope, constant,
                       end - begin, columns);
      if (dz) mask_gradient(dy + o, y ? y + o : nullptr, dz + o, (end - begin) * columns);
    });
  }

  bool backward_reads_dst() const override { return fused_.relu; }
  bool may_overwrite_src() const override { return true; }

 private:
  struct Work {
    double *sums, *products;
    float* scratch;  // 3 * columns at least
  };

  int64_t work_bytes() const {
    const int64_t c = extent_.columns;
    return team_ * (2 * c * 8 + 2 * c * 4) + 2 * c * 8 + 4 * c * 4;
  }

  float* saved(const Buffers& b) const { return b.extra[static_cast<size_t>(saved_)].f32(); }

  // Runs body(begin, end, f32 scratch, sums, products) over row ranges and adds the ranges up in
  // order, so that the result depends on the number of threads but not on their timing.
  template <class Body>
  Work reduce(const Buffer& memory, const Body& body) const {
    const int64_t rows = extent_.rows, columns = extent_.columns;
    double* partial = memory.as<double>();
    double* total = partial + 2 * team_ * columns;
    float* scratch = reinterpret_cast<float*>(total + 2 * columns);
    std::fill(partial, total + 2 * columns, 0.0);
    parallel_for(team_, [&](int64_t t) {
      double* own = partial + 2 * t * columns;
      body(rows * t / team_, rows * (t + 1) / team_, scratch + 2 * t * columns, own, own + columns);
    });
    for (int64_t t = 0; t < team_; ++t)
      for (int64_t c = 0; c < 2 * columns; ++c) total[c] += partial[2 * t * columns + c];
    return {total, total + columns, scratch};
  }

  void compute_statistics(const Buffers& b, float* mean, float* inverse) const {
    const int64_t rows = extent_.rows, columns = extent_.columns;
    const float* x = b.src[0].f32();
    const Work work =
        reduce(b.extra[static_cast<size_t>(work_forward_)],
               [&](int64_t begin, int64_t end, float* scratch, double* s, double* q) {
                 add_moments(x + begin * columns, x, end - begin, columns, scratch, s, q);
               });
    const double n = static_cast<double>(rows);
    float *running_mean = b.packed[2].f32(), *running_var = b.packed[3].f32();
    for (int64_t c = 0; c < columns; ++c) {
      const double shifted = work.sums[c] / n;
      const double var = std::max(0.0, work.products[c] / n - shifted * shifted);
      const double m = shifted + static_cast<double>(x[c]);
      mean[c] = static_cast<float>(m);
      inverse[c] = static_cast<float>(1 / std::sqrt(var + options_.epsilon));
      const double unbiased = var * n / std::max(1.0, n - 1), k = options_.momentum;
      running_mean[c] = static_cast<float>((1 - k) * static_cast<double>(running_mean[c]) + k * m);
      running_var[c] =
          static_cast<float>((1 - k) * static_cast<double>(running_var[c]) + k * unbiased);
    }
  }

  BatchNormOptions options_;
  BatchNorm::Fused fused_;
  bool batch_statistics_;
  RowsColumns extent_;
  Shape shape_;
  int64_t team_;
  int saved_ = 0, work_forward_ = 0, work_backward_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> BatchNorm::compile(KernelBuilder& builder) const {
  return std::make_unique<BatchNormKernel>(*this, builder);
}

Value batch_norm(const Scope& scope, Value src, const BatchNormOptions& options) {
  return src.graph->append({.name = scope.path,
                            .op = std::make_shared<BatchNorm>(src.channels(), options),
                            .src = {src},
                            .channels = src.channels(),
                            .positions = src.graph->node(src.node).positions});
}

}  // namespace limbic
