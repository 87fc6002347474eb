#include "array.h"

namespace limbic::reference {

int64_t count(const Shape& shape) {
  int64_t product = 1;
  for (const int64_t size : shape) {
    require(size >= 0 && (size == 0 || product <= INT64_MAX / size), "a shape cannot be ", shape);
    product *= size;
  }
  return product;
}

std::string text(const Shape& shape) {
  std::string out = "(";
  for (size_t i = 0; i < shape.size(); ++i) out += (i == 0 ? "" : ",") + text(shape[i]);
  return out + ")";
}

void require_images(const char* op, const Array& src) {
  require(src.shape.size() == 4, op, ": expected src (N,C,H,W), got ", src.shape);
}

void require_channels(const char* op, const Array& src) {
  require(src.shape.size() == 2 || src.shape.size() == 4, op,
          ": expected src (N,C) or (N,C,H,W), got ", src.shape);
}

void require_shape(const char* op, const char* what, const Array& array, const Shape& shape) {
  require(array.shape == shape, op, ": expected ", what, " ", shape, ", got ", array.shape);
}

}  // namespace limbic::reference
