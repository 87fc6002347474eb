#include "limbic/io/decode.h"

#include <atomic>

#include "limbic/core/error.h"
#include "limbic/core/file.h"
#include "limbic/io/formats.h"

namespace limbic::io {
namespace {

std::atomic<int64_t> most = int64_t{1} << 27;

// Multiplied only where neither side would overflow; INT64_MAX stands for more.
int64_t pixels_of(PictureSize size) {
  constexpr int64_t most_side = INT32_MAX;
  return size.height > most_side || size.width > most_side ? INT64_MAX : size.height * size.width;
}

void check_size(PictureSize size, int64_t bytes, const Format& format, int64_t max_pixels) {
  const int64_t pixels = pixels_of(size);
  require(pixels <= max_pixels && pixels < INT64_MAX, size.width, "x", size.height,
          " pixels, more than the ", max_pixels, " allowed (--max-pixels)");
  require(pixels <= format.most_pixels_per_byte * bytes, "declares ", size.width, "x", size.height,
          " pixels, which its ", bytes, " bytes cannot hold");
}

}  // namespace

int64_t most_pixels() { return most; }
void set_most_pixels(int64_t pixels) { most = pixels; }

DecodedFile decode_all(Bytes bytes, const std::string& name, const DecodeOptions& options) {
  require(!bytes.empty(), name, ": the file is empty");
  const Format* format = format_of(bytes);
  if (!format) {
    const std::string what = describe_unknown(bytes);
    fail(name, ": not a JPEG, PNG, WebP, GIF or BMP picture", what.empty() ? "" : ", but " + what);
  }
  try {
    check_size(format->size(bytes), std::ssize(bytes), *format, options.max_pixels);
    Decoded out = format->decode(bytes);
    return {format->name, out.orientation, out.damage,
            options.apply_exif ? apply_orientation(std::move(out.picture), out.orientation)
                               : std::move(out.picture)};
  } catch (const Error& error) {
    fail(name, ": ", error.what());
  }
}

Picture decode(Bytes bytes, const std::string& name, const DecodeOptions& options) {
  return decode_all(bytes, name, options).picture;
}

int64_t decoded_bytes(Bytes bytes) {
  const Format* format = format_of(bytes);
  if (!format) return 0;
  try {
    const int64_t pixels = pixels_of(format->size(bytes));
    return pixels <= INT64_MAX / 3 ? 3 * pixels : 0;
  } catch (const Error&) {
    return 0;
  }
}

Picture decode_file(const std::string& path, const DecodeOptions& options) {
  return decode(read_file(path, most_picture_bytes), path, options);
}

}  // namespace limbic::io
