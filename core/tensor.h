#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "limbic/core/bfloat16.h"
#include "limbic/core/error.h"

namespace limbic {

enum class DType { f64, f32, f16, bf16, i64, i32, i16, i8, u8, boolean };

/// Bytes of one element.
int64_t size_of(DType dtype);
/// The name that safetensors uses: F32, I64, ...
std::string to_string(DType dtype);

using Shape = std::vector<int64_t>;

/// "(8,64,56,56)".
std::string to_string(const Shape& shape);
/// Number of elements; throws Error on a negative dimension or on overflow of 64 bits.
int64_t count(const Shape& shape);

template <class T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, double>)
    return DType::f64;
  else if constexpr (std::is_same_v<T, float>)
    return DType::f32;
  else if constexpr (std::is_same_v<T, BFloat16>)
    return DType::bf16;
  else if constexpr (std::is_same_v<T, int64_t>)
    return DType::i64;
  else if constexpr (std::is_same_v<T, int32_t>)
    return DType::i32;
  else if constexpr (std::is_same_v<T, int16_t>)
    return DType::i16;
  else if constexpr (std::is_same_v<T, int8_t>)
    return DType::i8;
  else if constexpr (std::is_same_v<T, uint8_t>)
    return DType::u8;
  else
    static_assert(!sizeof(T), "no DType for this type");
}

/// 64-byte aligned memory, uninitialised unless `zeroed`; throws Error when there is not enough.
std::shared_ptr<void> allocate_aligned(int64_t bytes, bool zeroed = false);

/// A dense row-major array (images are NCHW), f32 unless it says otherwise. Copies share memory, as
/// in NumPy; `clone` makes a copy of its own. The memory is aligned to 64 bytes, or a view of
/// someone else's that the tensor keeps alive.
class Tensor {
 public:
  Tensor() = default;
  /// Zero-filled.
  explicit Tensor(Shape shape, DType dtype = DType::f32);
  /// Of any content: for memory that is written next.
  static Tensor uninitialised(Shape shape, DType dtype = DType::f32);
  /// A view of `data`; `owner` is kept alive for as long as the view is.
  static Tensor view(void* data, Shape shape, DType dtype, std::shared_ptr<void> owner);
  /// A copy of `values`; `count(shape)` must equal their number.
  template <class T>
  static Tensor of(std::span<const T> values, Shape shape);
  template <class T>
  static Tensor of(const std::vector<T>& values, Shape shape) {
    return of(std::span<const T>(values), std::move(shape));
  }

  const Shape& shape() const { return shape_; }
  /// Size of dimension i; negative i counts from the end.
  int64_t dim(int i) const;
  int rank() const { return static_cast<int>(shape_.size()); }
  int64_t size() const { return size_; }
  int64_t bytes() const { return size_ * size_of(dtype_); }
  DType dtype() const { return dtype_; }
  bool empty() const { return size_ == 0; }

  /// Elements as T; throws Error if the dtype is another.
  template <class T = float>
  T* data() const {
    if (dtype_of<T>() != dtype_) wrong_dtype(dtype_of<T>());
    return static_cast<T*>(data_.get());
  }
  template <class T = float>
  std::span<T> values() const {
    return {data<T>(), static_cast<size_t>(size_)};
  }
  void* raw() const { return data_.get(); }

  Tensor clone() const;
  /// Same memory under another shape of the same size.
  Tensor reshape(Shape shape) const;
  /// Same memory, elements [begin, end) of the first dimension.
  Tensor rows(int64_t begin, int64_t end) const;

 private:
  void allocate(Shape shape, DType dtype, bool zeroed);
  [[noreturn]] void wrong_dtype(DType asked) const;

  Shape shape_;
  DType dtype_ = DType::f32;
  int64_t size_ = 0;
  std::shared_ptr<void> data_;
};

template <class T>
Tensor Tensor::of(std::span<const T> values, Shape shape) {
  Tensor out(std::move(shape), dtype_of<T>());
  require(out.size() == static_cast<int64_t>(values.size()), "tensor of shape ",
          to_string(out.shape()), " needs ", out.size(), " values, got ", values.size());
  std::copy(values.begin(), values.end(), out.data<T>());
  return out;
}

}  // namespace limbic
