#include "io/decode.h"

#include "io/codec.h"
#include "io/container.h"
#include "io/exif.h"
#include "io/jpeg.h"
#include "nn/core/error.h"
#include "nn/core/file.h"

namespace limbic {
namespace {

// No format packs more pixels into a byte (a one-bit PNG of one colour comes to 8 * 1032): a header
// that declares more lies, and nothing is allocated for it.
constexpr int64_t most_pixels_per_byte = 10000;

void check_size(std::span<const uint8_t> bytes, const std::string& name, int64_t max_pixels) {
  const auto size = stb_size(bytes);
  require(size.has_value(), name, ": corrupt or unsupported picture (its header cannot be read)");
  const int64_t pixels = size->height * size->width;
  require(pixels <= max_pixels, name, ": ", size->width, "x", size->height,
          " pixels, more than the ", max_pixels, " allowed");
  require(pixels <= most_pixels_per_byte * static_cast<int64_t>(bytes.size()), name, ": declares ",
          size->width, "x", size->height, " pixels, which its ", bytes.size(),
          " bytes cannot hold");
}

}  // namespace

Picture decode(std::span<const uint8_t> bytes, const std::string& name,
               const DecodeOptions& options) {
  require(!bytes.empty(), name, ": the file is empty");
  const PictureKind kind = kind_of(bytes);
  if (kind == PictureKind::unknown) {
    const std::string what = describe_unknown(bytes);
    fail(name, ": not a JPEG, PNG, BMP or GIF picture", what.empty() ? "" : ", but " + what);
  }
  const Container found = inspect(bytes, kind);
  require(found.problem.empty(), name, ": ", found.problem);
  check_size(bytes, name, options.max_pixels);

  std::string reason;
  auto picture = kind == PictureKind::jpeg && found.components == 4
                     ? stb_decode(with_adobe_segment(bytes, found), reason)
                     : stb_decode(bytes, reason);
  require(picture.has_value(), name, ": cannot be decoded: ", reason);
  return options.apply_exif ? apply_orientation(std::move(*picture), exif_orientation(found.exif))
                            : std::move(*picture);
}

Picture decode_file(const std::string& path, const DecodeOptions& options) {
  constexpr int64_t most_bytes = int64_t{1} << 30;
  return decode(read_file(path, most_bytes), path, options);
}

}  // namespace limbic
