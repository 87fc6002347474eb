#include "limbic/io/libjpeg.h"

#include <csetjmp>
#include <cstdio>  // jpeglib.h needs it above itself
#include <new>
#include <vector>

#include <jpeglib.h>
// It needs jpeglib.h above itself.
#include <jerror.h>

namespace limbic::io {
namespace {

// libjpeg's errors jump back to the last setjmp: no object with a destructor may live in between.
struct Reader {
  jpeg_decompress_struct jpeg{};
  jpeg_error_mgr errors{};
  std::jmp_buf back{};
  char message[JMSG_LENGTH_MAX] = "";
  std::span<const uint8_t> bytes;
  uint8_t* rgb = nullptr;
  uint8_t* cmyk = nullptr;  // one row, where the picture is CMYK

  explicit Reader(std::span<const uint8_t> file) : bytes(file) {
    jpeg.err = jpeg_std_error(&errors);
    jpeg.client_data = this;
    errors.error_exit = [](j_common_ptr c) {
      auto* self = static_cast<Reader*>(c->client_data);
      c->err->format_message(c, self->message);
      std::longjmp(self->back, 1);
    };
    errors.output_message = [](j_common_ptr) {};  // warnings: Pillow hides them too
  }
  ~Reader() { jpeg_destroy_decompress(&jpeg); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
};

void read_header(Reader& r) {
  jpeg_create_decompress(&r.jpeg);
  jpeg_mem_src(&r.jpeg, r.bytes.data(), static_cast<unsigned long>(r.bytes.size()));
  jpeg_read_header(&r.jpeg, TRUE);
  r.jpeg.out_color_space = r.jpeg.num_components == 4 ? JCS_CMYK : JCS_RGB;
}

// One row; what is stored is inverted: 255 - K is the light that black lets through.
void cmyk_to_rgb(const uint8_t* cmyk, uint8_t* rgb, int64_t width) {
  for (int64_t x = 0; x < width; ++x, cmyk += 4, rgb += 3) {
    const int light = cmyk[3];
    for (int c = 0; c < 3; ++c) {
      const int product = (255 - cmyk[c]) * light + 128;
      const int absorbed = ((product >> 8) + product) >> 8;
      rgb[c] = static_cast<uint8_t>(light > absorbed ? light - absorbed : 0);
    }
  }
}

void read_rows(Reader& r) {
  jpeg_start_decompress(&r.jpeg);
  while (r.jpeg.output_scanline < r.jpeg.output_height) {
    uint8_t* rgb = r.rgb + size_t{3} * r.jpeg.output_width * r.jpeg.output_scanline;
    JSAMPROW row = r.cmyk ? r.cmyk : rgb;
    jpeg_read_scanlines(&r.jpeg, &row, 1);
    if (r.cmyk) cmyk_to_rgb(r.cmyk, rgb, r.jpeg.output_width);
  }
  jpeg_finish_decompress(&r.jpeg);
}

// False where libjpeg jumped back with an error.
bool succeeds(Reader& r, void (*step)(Reader&)) {
  if (setjmp(r.back)) return false;
  step(r);
  return true;
}

}  // namespace

std::optional<Picture> libjpeg_decode(std::span<const uint8_t> bytes, std::string& reason) {
  Reader reader(bytes);
  Picture picture;
  std::vector<uint8_t> cmyk;
  bool read = succeeds(reader, read_header);
  if (read) {
    picture = Picture(reader.jpeg.image_height, reader.jpeg.image_width);
    reader.rgb = picture.pixels.data();
    if (reader.jpeg.out_color_space == JCS_CMYK) cmyk.resize(size_t{4} * reader.jpeg.image_width);
    reader.cmyk = cmyk.empty() ? nullptr : cmyk.data();
    read = succeeds(reader, read_rows);
  }
  if (!read) {
    if (reader.errors.msg_code == JERR_OUT_OF_MEMORY) throw std::bad_alloc();
    reason = reader.message;
    return std::nullopt;
  }
  return picture;
}

}  // namespace limbic::io
