// The first frame of a GIF by giflib, on its screen. What it does not cover is the background
// colour (GIF89a, section 18), transparent pixels keep their colour, a frame that reaches beyond
// the screen enlarges it, as in Pillow and browsers.
#include <gif_lib.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "limbic/core/error.h"
#include "limbic/io/formats.h"

namespace limbic::io {
namespace {

struct Input {
  Bytes bytes;
  size_t at = 0;
};

int on_read(GifFileType* file, GifByteType* to, int count) {
  auto& input = *static_cast<Input*>(file->UserData);
  const size_t n = std::min(static_cast<size_t>(count), input.bytes.size() - input.at);
  std::memcpy(to, input.bytes.data() + input.at, n);
  input.at += n;
  return static_cast<int>(n);
}

struct Close {
  void operator()(GifFileType* file) const { DGifCloseFile(file, nullptr); }
};
using File = std::unique_ptr<GifFileType, Close>;

[[noreturn]] void refuse(int code) {
  if (code == D_GIF_ERR_READ_FAILED || code == D_GIF_ERR_EOF_TOO_SOON) fail("truncated GIF");
  if (code == D_GIF_ERR_NOT_ENOUGH_MEM) throw std::bad_alloc();
  const char* said = GifErrorString(code);
  fail("corrupt GIF (", said ? said : "unknown reason", ")");
}

// Opened, and read up to the first frame's pixels.
File open(Input& input) {
  int code = 0;
  File file(DGifOpen(&input, on_read, &code));
  if (!file) refuse(code);
  while (true) {
    GifRecordType type{};
    if (DGifGetRecordType(file.get(), &type) == GIF_ERROR) refuse(file->Error);
    require(type != TERMINATE_RECORD_TYPE, "a GIF without a picture");
    if (type == IMAGE_DESC_RECORD_TYPE) break;
    if (type != EXTENSION_RECORD_TYPE) continue;
    int label = 0;
    GifByteType* block = nullptr;
    if (DGifGetExtension(file.get(), &label, &block) == GIF_ERROR) refuse(file->Error);
    while (block)
      if (DGifGetExtensionNext(file.get(), &block) == GIF_ERROR) refuse(file->Error);
  }
  if (DGifGetImageDesc(file.get()) == GIF_ERROR) refuse(file->Error);
  require(file->Image.Width > 0 && file->Image.Height > 0, "corrupt GIF (a frame of no pixels)");
  return file;
}

PictureSize screen(const GifFileType& file) {
  return {std::max(file.SHeight, file.Image.Top + file.Image.Height),
          std::max(file.SWidth, file.Image.Left + file.Image.Width)};
}

PictureSize size(Bytes bytes) {
  Input input{bytes};
  return screen(*open(input));
}

// Without a table a value is its own grey; beyond a table is black.
GifColorType colour(const ColorMapObject* table, int index) {
  const auto grey = static_cast<GifByteType>(index);
  if (!table) return {grey, grey, grey};
  return index < table->ColorCount ? table->Colors[index] : GifColorType{};
}

Decoded decode(Bytes bytes) {
  Input input{bytes};
  const File file = open(input);
  const GifImageDesc& frame = file->Image;
  const PictureSize canvas = screen(*file);
  Decoded out;
  out.picture = Picture(canvas.height, canvas.width);
  const auto put = [&](int64_t y, int64_t x, GifColorType c) {
    uint8_t* pixel = out.picture.row(y) + 3 * x;
    pixel[0] = c.Red, pixel[1] = c.Green, pixel[2] = c.Blue;
  };
  if (frame.Height < canvas.height || frame.Width < canvas.width) {
    const GifColorType background =
        file->SColorMap ? colour(file->SColorMap, file->SBackGroundColor) : GifColorType{};
    for (int64_t y = 0; y < canvas.height; ++y)
      for (int64_t x = 0; x < canvas.width; ++x) put(y, x, background);
  }
  const ColorMapObject* table = frame.ColorMap ? frame.ColorMap : file->SColorMap;
  std::vector<GifPixelType> row(static_cast<size_t>(frame.Width));
  const auto read_row = [&](int y) {
    if (DGifGetLine(file.get(), row.data(), frame.Width) == GIF_ERROR) {
      // giflib reads up to the block that ends a frame as soon as it has the last pixel.
      if (y + 1 != frame.Height || file->Error == D_GIF_ERR_DATA_TOO_BIG) refuse(file->Error);
    }
    for (int x = 0; x < frame.Width; ++x)
      put(frame.Top + y, frame.Left + x, colour(table, row[static_cast<size_t>(x)]));
  };
  if (!frame.Interlace)
    for (int y = 0; y < frame.Height; ++y) read_row(y);
  else
    for (const auto& [first, step] : {std::pair{0, 8}, {4, 8}, {2, 4}, {1, 2}})
      for (int y = first; y < frame.Height; y += step) read_row(y);
  return out;
}

}  // namespace

// Nothing but the frame's size says how large a GIF's screen may be.
const Format gif_format = {
    "GIF", [](Bytes b) { return has(b, 0, "GIF87a") || has(b, 0, "GIF89a"); }, size, decode, 10000};

}  // namespace limbic::io
