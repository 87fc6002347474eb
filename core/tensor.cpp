#include "limbic/core/tensor.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

namespace limbic {

int64_t size_of(DType dtype) {
  switch (dtype) {
    case DType::f64:
    case DType::i64:
      return 8;
    case DType::f32:
    case DType::i32:
      return 4;
    case DType::f16:
    case DType::bf16:
    case DType::i16:
      return 2;
    case DType::i8:
    case DType::u8:
    case DType::boolean:
      return 1;
  }
  fail("unknown dtype");
}

std::string to_string(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return "F64";
    case DType::f32:
      return "F32";
    case DType::f16:
      return "F16";
    case DType::bf16:
      return "BF16";
    case DType::i64:
      return "I64";
    case DType::i32:
      return "I32";
    case DType::i16:
      return "I16";
    case DType::i8:
      return "I8";
    case DType::u8:
      return "U8";
    case DType::boolean:
      return "BOOL";
  }
  fail("unknown dtype");
}

std::string to_string(const Shape& shape) {
  std::string out = "(";
  for (size_t i = 0; i < shape.size(); ++i) out += (i ? "," : "") + std::to_string(shape[i]);
  return out + ")";
}

int64_t count(const Shape& shape) {
  int64_t size = 1;
  for (int64_t d : shape) {
    require(d >= 0, "negative dimension in shape ", to_string(shape));
    require(!__builtin_mul_overflow(size, d, &size), "shape ", to_string(shape), " overflows");
  }
  return size;
}

namespace {

constexpr int64_t page = 4096, huge_page = int64_t{2} << 20;

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Zeroed pages straight from the system, in huge pages where it has them: a page that nobody
// touches takes no memory, and there are few faults while the rest is touched. Null if it fails.
std::shared_ptr<void> map_pages(int64_t bytes) {
  const auto size = static_cast<size_t>(bytes + huge_page);
  void* start = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) return nullptr;
  const auto address = reinterpret_cast<uintptr_t>(start), step = uintptr_t{huge_page};
  const uintptr_t begin = (address + step - 1) / step * step;
  const auto kept = static_cast<size_t>(divide_up(bytes, page) * page);
  if (begin > address) ::munmap(start, begin - address);
  if (address + size > begin + kept)
    ::munmap(reinterpret_cast<void*>(begin + kept), address + size - begin - kept);
  void* aligned = reinterpret_cast<void*>(begin);
  ::madvise(aligned, kept, MADV_HUGEPAGE);  // a wish, not a need
  return {aligned, [kept](void* p) { ::munmap(p, kept); }};
}

}  // namespace

std::shared_ptr<void> allocate_aligned(int64_t bytes, bool zeroed) {
  const int64_t rounded = (std::max<int64_t>(bytes, 1) + 63) / 64 * 64;
  std::shared_ptr<void> memory;
  if (rounded >= huge_page && rounded < INT64_MAX - huge_page) memory = map_pages(rounded);
  if (memory) return memory;
  void* data = std::aligned_alloc(64, static_cast<size_t>(rounded));
  require(data != nullptr, "out of memory: could not allocate ", bytes, " bytes");
  if (zeroed) std::memset(data, 0, static_cast<size_t>(rounded));
  return {data, std::free};
}

Tensor::Tensor(Shape shape, DType dtype) { allocate(std::move(shape), dtype, true); }

Tensor Tensor::uninitialised(Shape shape, DType dtype) {
  Tensor out;
  out.allocate(std::move(shape), dtype, false);
  return out;
}

void Tensor::allocate(Shape shape, DType dtype, bool zeroed) {
  shape_ = std::move(shape);
  dtype_ = dtype;
  size_ = count(shape_);
  int64_t total = 0;
  require(!__builtin_mul_overflow(size_, size_of(dtype), &total), "shape ", to_string(shape_),
          " overflows");
  data_ = allocate_aligned(total, zeroed);
}

Tensor Tensor::view(void* data, Shape shape, DType dtype, std::shared_ptr<void> owner) {
  Tensor out;
  out.shape_ = std::move(shape);
  out.dtype_ = dtype;
  out.size_ = count(out.shape_);
  out.data_ = std::shared_ptr<void>(std::move(owner), data);
  return out;
}

int64_t Tensor::dim(int i) const {
  const int index = i < 0 ? i + rank() : i;
  require(index >= 0 && index < rank(), "dimension ", i, " of a tensor of shape ",
          to_string(shape_));
  return shape_[static_cast<size_t>(index)];
}

Tensor Tensor::clone() const {
  Tensor out = uninitialised(shape_, dtype_);
  if (bytes() > 0) std::memcpy(out.raw(), raw(), static_cast<size_t>(bytes()));
  return out;
}

Tensor Tensor::reshape(Shape shape) const {
  require(count(shape) == size_, "cannot reshape ", to_string(shape_), " to ", to_string(shape));
  Tensor out = *this;
  out.shape_ = std::move(shape);
  return out;
}

Tensor Tensor::rows(int64_t begin, int64_t end) const {
  require(rank() > 0 && 0 <= begin && begin <= end && end <= shape_[0], "rows ", begin, " to ", end,
          " of a tensor of shape ", to_string(shape_));
  Shape shape = shape_;
  shape[0] = end - begin;
  const int64_t row_bytes = shape_[0] ? bytes() / shape_[0] : 0;
  return view(static_cast<char*>(raw()) + begin * row_bytes, std::move(shape), dtype_, data_);
}

void Tensor::wrong_dtype(DType asked) const {
  fail("tensor of shape ", to_string(shape_), " holds ", to_string(dtype_), ", not ",
       to_string(asked));
}

}  // namespace limbic
