#include "limbic/walk/packer.h"

#include <zlib.h>

#include <algorithm>
#include <cmath>

#include "limbic/core/error.h"
#include "limbic/io/png.h"

namespace limbic::walk {

Packer::Json Packer::append(const void* values, size_t n, size_t width, double scale) {
  const char* from = static_cast<const char*>(values);
  std::string planes;
  planes.reserve(n * width);
  for (size_t byte = 0; byte < width; ++byte)
    for (size_t i = 0; i < n; ++i) planes += from[i * width + byte];
  const auto [at, is_new] = held_.try_emplace({planes, scale}, bytes_.size());
  if (is_new) bytes_.insert(bytes_.end(), planes.begin(), planes.end());
  return {at->second, n, width, scale};
}

Packer::Json Packer::add(std::span<const float> values) {
  return append(values.data(), values.size(), 4, 1);
}

Packer::Json Packer::add_rounded(std::span<const float> values) {
  double largest = 1e-30;
  for (const float v : values) largest = std::max(largest, std::abs(double{v}));
  const double scale = largest / 32767;
  std::vector<int16_t> rounded;
  for (const float v : values)
    rounded.push_back(static_cast<int16_t>(std::lround(double{v} / scale)));
  return append(rounded.data(), rounded.size(), 2, scale);
}

Packer::Json Packer::add_bytes(std::span<const uint8_t> values) {
  return append(values.data(), values.size(), 1, 1);
}

std::string Packer::base64() const {
  uLongf size = compressBound(bytes_.size());
  std::vector<uint8_t> out(size);
  require(compress2(out.data(), &size, bytes_.data(), bytes_.size(), 9) == Z_OK,
          "a walk's numbers could not be compressed");
  out.resize(size);
  return io::base64(out);
}

}  // namespace limbic::walk
