// WebP by libwebp.
#include <webp/decode.h>
#include <webp/demux.h>

#include <algorithm>
#include <memory>

#include "limbic/core/error.h"
#include "limbic/io/formats.h"

namespace limbic::io {
namespace {

WebPBitstreamFeatures features(Bytes bytes) {
  WebPBitstreamFeatures found;
  const VP8StatusCode status = WebPGetFeatures(bytes.data(), bytes.size(), &found);
  require(status != VP8_STATUS_NOT_ENOUGH_DATA, "truncated WebP");
  require(status == VP8_STATUS_OK && found.width > 0 && found.height > 0, "corrupt WebP");
  return found;
}

PictureSize size(Bytes bytes) {
  const WebPBitstreamFeatures found = features(bytes);
  return {found.height, found.width};
}

// The first of several frames, on its canvas.
void decode_first_frame(Bytes bytes, Picture& out) {
  const WebPData data{bytes.data(), bytes.size()};
  const std::unique_ptr<WebPAnimDecoder, void (*)(WebPAnimDecoder*)> decoder(
      WebPAnimDecoderNew(&data, nullptr), WebPAnimDecoderDelete);
  uint8_t* rgba = nullptr;
  int milliseconds = 0;
  require(decoder && WebPAnimDecoderGetNext(decoder.get(), &rgba, &milliseconds),
          "truncated or corrupt WebP");
  for (size_t i = 0; i < out.pixels.size() / 3; ++i)
    std::copy_n(rgba + 4 * i, 3, out.pixels.data() + 3 * i);
}

std::span<const uint8_t> chunk(WebPDemuxer* demuxer, const char* name, WebPChunkIterator& found) {
  if (!WebPDemuxGetChunk(demuxer, name, 1, &found)) return {};
  return {found.chunk.bytes, found.chunk.size};
}

int orientation(Bytes bytes) {
  const WebPData data{bytes.data(), bytes.size()};
  const std::unique_ptr<WebPDemuxer, void (*)(WebPDemuxer*)> demuxer(WebPDemux(&data),
                                                                     WebPDemuxDelete);
  if (!demuxer) return 1;
  WebPChunkIterator exif{}, xmp{};
  const Bytes text = chunk(demuxer.get(), "XMP ", xmp);
  const int found = orientation_of(chunk(demuxer.get(), "EXIF", exif),
                                   {reinterpret_cast<const char*>(text.data()), text.size()});
  WebPDemuxReleaseChunkIterator(&exif);
  WebPDemuxReleaseChunkIterator(&xmp);
  return found;
}

Decoded decode(Bytes bytes) {
  const WebPBitstreamFeatures found = features(bytes);
  Decoded out;
  out.picture = Picture(found.height, found.width);
  if (found.has_animation)
    decode_first_frame(bytes, out.picture);
  else
    require(WebPDecodeRGBInto(bytes.data(), bytes.size(), out.picture.pixels.data(),
                              out.picture.pixels.size(), found.width * 3) != nullptr,
            "truncated or corrupt WebP");
  out.orientation = orientation(bytes);
  return out;
}

}  // namespace

// A lossless WebP of one colour says so once: a header may declare all it can, 16,383 x 16,383.
const Format webp_format = {"WebP", [](Bytes b) { return has(b, 0, "RIFF") && has(b, 8, "WEBP"); },
                            size, decode, int64_t{1} << 28};

}  // namespace limbic::io
