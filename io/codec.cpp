#include "limbic/io/codec.h"

#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>

namespace {

// What stb_image may allocate in one piece while it decodes, and whether the system refused less
// than that: a file that asks for more than its header's pixels need is damaged, the other is not
// its fault.
thread_local size_t most_bytes = SIZE_MAX;
thread_local bool out_of_memory = false;

void* reallocate(void* old, size_t bytes) {
  if (bytes > most_bytes) return nullptr;
  void* memory = std::realloc(old, bytes);
  out_of_memory = out_of_memory || !memory;
  return memory;
}

}  // namespace

#define STBI_MALLOC(bytes) reallocate(nullptr, bytes)
#define STBI_REALLOC(old, bytes) reallocate(old, bytes)
#define STBI_FREE(memory) std::free(memory)
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_ONLY_BMP
#define STBI_ONLY_GIF
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#define STBI_MAX_DIMENSIONS (1 << 20)
#define STBI_FAILURE_USERMSG
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#include <stb_image.h>

namespace limbic::io {
namespace {

bool fits_int(size_t size) { return size <= size_t{std::numeric_limits<int>::max()}; }

}  // namespace

std::optional<PictureSize> stb_size(std::span<const uint8_t> bytes) {
  int width = 0, height = 0, channels = 0;
  if (!fits_int(bytes.size()) ||
      !stbi_info_from_memory(bytes.data(), static_cast<int>(bytes.size()), &width, &height,
                             &channels) ||
      width <= 0 || height <= 0)
    return std::nullopt;
  return PictureSize{height, width};
}

std::optional<Picture> stb_decode(std::span<const uint8_t> bytes, std::string& reason) {
  if (!fits_int(bytes.size())) {
    reason = "more than 2 GB";
    return std::nullopt;
  }
  int width = 0, height = 0, channels = 0;
  const auto size = stb_size(bytes);
  // 16 bits of RGBA take 8 bytes a pixel, and buffers grow by doubling.
  const auto pixel_count = static_cast<size_t>(size ? size->height * size->width : 0);
  most_bytes = 24 * pixel_count + (size_t{16} << 20);
  out_of_memory = false;
  const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
      stbi_load_from_memory(bytes.data(), static_cast<int>(bytes.size()), &width, &height,
                            &channels, 3),
      stbi_image_free);
  most_bytes = SIZE_MAX;
  if (!pixels || width <= 0 || height <= 0) {
    const char* said = stbi_failure_reason();
    reason = said ? said : "unknown reason";
    if (out_of_memory) throw std::bad_alloc();
    return std::nullopt;
  }
  Picture picture;
  picture.height = height;
  picture.width = width;
  picture.pixels.assign(pixels.get(), pixels.get() + int64_t{3} * width * height);
  return picture;
}

}  // namespace limbic::io
