#include "limbic/io/decode.h"

#include "limbic/core/error.h"
#include "limbic/core/file.h"
#include "limbic/io/codec.h"
#include "limbic/io/container.h"
#include "limbic/io/exif.h"
#include "limbic/io/jpeg.h"
#include "limbic/io/libjpeg.h"

namespace limbic::io {
namespace {

// No file packs more pixels into a byte: a one-bit PNG of one colour comes to 8 * 1032, a JPEG to
// 512 (one bit for a block's DC). A header that declares more lies, and nothing is allocated for
// it.
int64_t most_pixels_per_byte(PictureKind kind) { return kind == PictureKind::jpeg ? 1000 : 10000; }

// Returns the number of pixels.
int64_t check_size(std::span<const uint8_t> bytes, PictureKind kind, const std::string& name,
                   int64_t max_pixels) {
  const auto size = stb_size(bytes);
  require(size.has_value(), name, ": corrupt or unsupported picture (its header cannot be read)");
  const int64_t pixels = size->height * size->width;
  require(pixels <= max_pixels, name, ": ", size->width, "x", size->height,
          " pixels, more than the ", max_pixels, " allowed");
  require(pixels <= most_pixels_per_byte(kind) * static_cast<int64_t>(bytes.size()), name,
          ": declares ", size->width, "x", size->height, " pixels, which its ", bytes.size(),
          " bytes cannot hold");
  return pixels;
}

// Every scan of a progressive JPEG goes over the whole picture, however little the scan holds.
// Encoders write 3 to 20 of them; 256 empty ones would take as long as a hundred pictures.
void check_scans(const Container& found, int64_t pixels, const std::string& name) {
  constexpr int64_t always = 24, most = int64_t{1} << 29;  // pixels times scans
  require(found.scans <= always || pixels <= most / found.scans, name, ": a JPEG of ", found.scans,
          " scans over ", pixels, " pixels, more work than a picture is worth; save it again");
}

// What the decoder is given: a changed copy where it would otherwise read colours differently.
std::span<const uint8_t> prepared(std::span<const uint8_t> bytes, PictureKind kind,
                                  const Container& found, std::vector<uint8_t>& copy) {
  if (kind == PictureKind::jpeg && found.components == 4) {
    copy = with_adobe_segment(bytes, found);
  } else if (kind == PictureKind::gif && found.gif_flags_at >= 0) {
    copy.assign(bytes.begin(), bytes.end());
    copy[static_cast<size_t>(found.gif_flags_at)] &= 0xFE;  // nothing is transparent
  } else {
    return bytes;
  }
  return copy;
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
  check_scans(found, check_size(bytes, kind, name, options.max_pixels), name);

  std::vector<uint8_t> copy;
  std::string reason;
  auto picture = kind == PictureKind::jpeg && options.libjpeg
                     ? libjpeg_decode(bytes, reason)
                     : stb_decode(prepared(bytes, kind, found, copy), reason);
  require(picture.has_value(), name, ": cannot be decoded: ", reason);
  return options.apply_exif ? apply_orientation(std::move(*picture), exif_orientation(found.exif))
                            : std::move(*picture);
}

int64_t decoded_bytes(std::span<const uint8_t> bytes) {
  const auto size = bytes.empty() ? std::nullopt : stb_size(bytes);
  return size ? 3 * size->height * size->width : 0;
}

Picture decode_file(const std::string& path, const DecodeOptions& options) {
  constexpr int64_t most_bytes = int64_t{1} << 30;
  return decode(read_file(path, most_bytes), path, options);
}

}  // namespace limbic::io
