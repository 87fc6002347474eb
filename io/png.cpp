// PNG by libpng.
#include "limbic/io/png.h"

#include <png.h>

#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <new>

#include "limbic/core/error.h"
#include "limbic/io/formats.h"

namespace limbic::io {
namespace {

size_t big32(Bytes b, size_t at) {
  return size_t{b[at]} << 24 | size_t{b[at + 1]} << 16 | size_t{b[at + 2]} << 8 | b[at + 3];
}

// libpng's errors jump back to the last setjmp: no object with a destructor may live in between.
struct Reader {
  png_structp png = nullptr;
  png_infop info = nullptr, end = nullptr;
  Bytes bytes;
  size_t at = 0;
  bool wrong_checksum = false;  // of the pixels
  Picture* picture = nullptr;
  char message[128] = "";

  explicit Reader(Bytes file) : bytes(file) {}
  ~Reader() { png_destroy_read_struct(&png, &info, &end); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
};

Reader& reader_of(png_structp png) { return *static_cast<Reader*>(png_get_error_ptr(png)); }

[[noreturn]] void on_error(png_structp png, png_const_charp text) {
  std::snprintf(reader_of(png).message, sizeof Reader::message, "%s", text);
  png_longjmp(png, 1);
}

// A chunk beyond the limit is a warning to libpng, which then asks for the memory.
void on_warning(png_structp png, png_const_charp text) {
  if (std::strstr(text, "chunk data is too large")) on_error(png, text);
  if (std::strstr(text, "incorrect data check")) reader_of(png).wrong_checksum = true;
}

void on_read(png_structp png, png_bytep to, size_t count) {
  auto& r = *static_cast<Reader*>(png_get_io_ptr(png));
  if (count > r.bytes.size() - r.at) png_error(png, "truncated");
  std::memcpy(to, r.bytes.data() + r.at, count);
  r.at += count;
}

void read_header(Reader& r) {
  png_set_read_fn(r.png, &r, on_read);
  png_set_user_limits(r.png, 0x7FFFFFFF, 0x7FFFFFFF);  // decode() has its own
  // It takes the memory that a chunk declares before it reads the chunk. Packed text may unpack to
  // more than the file.
  png_set_chunk_malloc_max(r.png, r.bytes.size() + (size_t{8} << 20));
  // As bytes: libpng refuses a block that starts with "Exif\0\0", which is often seen.
  png_set_keep_unknown_chunks(r.png, PNG_HANDLE_CHUNK_ALWAYS,
                              reinterpret_cast<png_const_bytep>("eXIf"), 1);
  png_read_info(r.png, r.info);
}

void read_rows(Reader& r) {
  png_set_expand(r.png);  // palettes and few bits to 8
  png_set_strip_16(r.png);
  png_set_strip_alpha(r.png);
  png_set_gray_to_rgb(r.png);
  const int passes = png_set_interlace_handling(r.png);
  png_read_update_info(r.png, r.info);
  for (int pass = 0; pass < passes; ++pass)
    for (int64_t y = 0; y < r.picture->height; ++y) png_read_row(r.png, r.picture->row(y), nullptr);
}

void read_end(Reader& r) { png_read_end(r.png, r.end); }

bool succeeds(Reader& r, void (*step)(Reader&)) {
  if (setjmp(png_jmpbuf(r.png))) return false;
  step(r);
  return true;
}

// Throws Error where libpng jumped back with one.
void take(Reader& r, void (*step)(Reader&)) {
  if (succeeds(r, step)) return;
  const std::string_view said = r.message;
  if (said == "truncated") fail("truncated PNG");
  if (said.find("Not enough") != said.npos) fail("corrupt PNG (its data ends before its last row)");
  if (said.find("CRC") != said.npos) fail("corrupt PNG (a chunk's checksum is wrong)");
  if (said.find("memory") != said.npos) throw std::bad_alloc();
  fail("corrupt PNG (", said, ")");
}

// ImageMagick's and exiftool's text "\nexif\n  LENGTH\nHEX": the bytes.
std::vector<uint8_t> raw_profile(std::string_view text) {
  std::vector<uint8_t> out;
  size_t at = text.find_first_not_of('\n');
  for (int lines = 0; lines < 2 && at != text.npos; ++lines) {  // the name, the length
    at = text.find('\n', at);
    at = at == text.npos ? at : at + 1;
  }
  int high = -1;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) continue;  // line breaks
    if (high >= 0) out.push_back(static_cast<uint8_t>(high << 4 | digit));
    high = high >= 0 ? -1 : digit;
  }
  return out;
}

int orientation(const Reader& r) {
  Bytes exif;
  std::vector<uint8_t> raw;
  std::string_view xmp;
  for (const png_infop info : {r.info, r.end}) {
    png_unknown_chunkp chunks = nullptr;
    if (png_get_unknown_chunks(r.png, info, &chunks) > 0 && exif.empty())
      exif = {chunks->data, chunks->size};  // no others are kept
    png_textp texts = nullptr;
    const int count = png_get_text(r.png, info, &texts, nullptr);
    for (int i = 0; i < count; ++i) {
      const std::string_view key = texts[i].key;
      const size_t size = texts[i].compression >= PNG_ITXT_COMPRESSION_NONE ? texts[i].itxt_length
                                                                            : texts[i].text_length;
      const std::string_view text(texts[i].text, size);
      if (key == "Raw profile type exif" || key == "Raw profile type APP1") raw = raw_profile(text);
      if (key == "XML:com.adobe.xmp") xmp = text;
    }
  }
  return orientation_of(exif.empty() ? Bytes(raw) : exif, xmp);
}

PictureSize size(Bytes bytes) {
  require(!has(bytes, 12, "CgBI"),
          "a PNG in Xcode's own form (CgBI), as programs for iPhones hold them, which is not read");
  require(has(bytes, 12, "IHDR") && bytes.size() >= 33, "truncated PNG");
  const PictureSize found{static_cast<int64_t>(big32(bytes, 20)),
                          static_cast<int64_t>(big32(bytes, 16))};
  require(found.height > 0 && found.width > 0, "corrupt PNG (a picture of no pixels)");
  return found;
}

Decoded decode(Bytes bytes) {
  const PictureSize declared = size(bytes);
  Reader reader(bytes);
  reader.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader, on_error, on_warning);
  if (reader.png) reader.info = png_create_info_struct(reader.png);
  if (reader.info) reader.end = png_create_info_struct(reader.png);
  if (!reader.end) throw std::bad_alloc();
  Decoded out;
  out.picture = Picture(declared.height, declared.width);
  reader.picture = &out.picture;
  take(reader, read_header);
  take(reader, read_rows);
  // All pixels are there: an end that is missing or damaged is no reason to refuse them.
  if (!succeeds(reader, read_end) && std::string_view(reader.message).starts_with("IDAT"))
    fail("corrupt PNG (a chunk's checksum is wrong)");
  require(!reader.wrong_checksum, "corrupt PNG (the checksum of its pixels is wrong)");
  out.orientation = orientation(reader);
  return out;
}

}  // namespace

std::vector<uint8_t> encode_png(const Picture& picture) {
  require(picture.height > 0 && picture.width > 0 && picture.pixels.size() < size_t{1} << 30,
          "PNG: cannot hold a picture of ", picture.width, "x", picture.height);
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(picture.width);
  image.height = static_cast<png_uint_32>(picture.height);
  image.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
  std::vector<uint8_t> out(size);
  require(
      png_image_write_to_memory(&image, out.data(), &size, 0, picture.pixels.data(), 0, nullptr),
      "PNG: ", image.message);
  out.resize(size);
  return out;
}

// A one-bit PNG of one colour comes to 8 * 1032.
const Format png_format = {"PNG", [](Bytes b) { return has(b, 0, "\x89PNG\r\n\x1A\n"); }, size,
                           decode, 10000};

}  // namespace limbic::io
