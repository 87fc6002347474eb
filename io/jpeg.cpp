// JPEG by libjpeg-turbo, as Pillow does: slow integer DCT, fancy upsampling, CMYK read inverted as
// Adobe stores it and converted as Pillow's convert("RGB") does.
#include <csetjmp>
#include <cstdio>  // jpeglib.h needs it above itself
#include <new>
#include <vector>

#include <jpeglib.h>
// It needs jpeglib.h above itself.
#include <jerror.h>

#include "limbic/core/error.h"
#include "limbic/io/formats.h"

namespace limbic::io {
namespace {

// libjpeg's errors jump back to the last setjmp: no object with a destructor may live in between.
struct Reader {
  jpeg_decompress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg_source_mgr source{};
  jpeg_progress_mgr progress{};
  std::jmp_buf back{};
  char message[JMSG_LENGTH_MAX] = "", warning[JMSG_LENGTH_MAX] = "";
  uint8_t* rgb = nullptr;
  uint8_t* cmyk = nullptr;  // one row, where the picture is CMYK

  explicit Reader(Bytes bytes);
  ~Reader() { jpeg_destroy_decompress(&jpeg); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
};

Reader& reader_of(void* any) {
  return *static_cast<Reader*>(static_cast<j_common_ptr>(any)->client_data);
}

[[noreturn]] void stop(Reader& r, const char* text, long a = 0, long b = 0) {
  std::snprintf(r.message, sizeof r.message, text, a, b);
  std::longjmp(r.back, 1);
}

// Every scan of a progressive JPEG goes over the whole picture, however little the scan holds.
// Encoders write 3 to 20 of them; 256 empty ones would take as long as a hundred pictures.
void check_scans(j_common_ptr c) {
  constexpr long always = 24, most = 256, work = 1L << 29;  // pixels times scans
  Reader& r = reader_of(c);
  const long scans = r.jpeg.input_scan_number,
             pixels = static_cast<long>(r.jpeg.image_width) * r.jpeg.image_height;
  if (scans > most) stop(r, "a JPEG of too many scans");
  if (scans > always && pixels > work / scans)
    stop(r,
         "a JPEG of %ld and more scans over %ld pixels, more work than a picture is worth; save it "
         "again",
         scans, pixels);
}

Reader::Reader(Bytes bytes) {
  jpeg.err = jpeg_std_error(&errors);
  jpeg.client_data = this;
  errors.error_exit = [](j_common_ptr c) {
    char said[JMSG_LENGTH_MAX];
    c->err->format_message(c, said);
    bool intact = false;
    for (const int code :
         {JERR_SOF_UNSUPPORTED, JERR_BAD_PRECISION, JERR_CONVERSION_NOTIMPL, JERR_ARITH_NOTIMPL,
          JERR_NOTIMPL, JERR_NOT_COMPILED, JERR_CCIR601_NOTIMPL, JERR_FRACT_SAMPLE_NOTIMPL})
      intact = intact || c->err->msg_code == code;
    Reader& r = reader_of(c);
    std::snprintf(r.message, sizeof r.message,
                  intact ? "a JPEG of a kind that is not read (%.150s)" : "corrupt JPEG (%.150s)",
                  said);
    std::longjmp(r.back, 1);
  };
  errors.emit_message = [](j_common_ptr c, int level) {
    if (level >= 0) return;
    ++c->err->num_warnings;
    const bool harmless = c->err->msg_code == JWRN_EXTRANEOUS_DATA ||
                          c->err->msg_code == JWRN_ADOBE_XFORM ||
                          c->err->msg_code == JWRN_JFIF_MAJOR;
    if (Reader& r = reader_of(c); !harmless && r.warning[0] == 0)
      c->err->format_message(c, r.warning);
  };
  errors.output_message = [](j_common_ptr) {};
  source.next_input_byte = bytes.data();
  source.bytes_in_buffer = bytes.size();
  source.init_source = source.term_source = [](j_decompress_ptr) {};
  source.resync_to_restart = jpeg_resync_to_restart;
  // libjpeg would take an end marker for what is not there, and fill the picture with grey.
  source.fill_input_buffer = [](j_decompress_ptr c) -> boolean {
    stop(reader_of(c), "truncated JPEG");
  };
  source.skip_input_data = [](j_decompress_ptr c, long count) {
    if (count < 0 || static_cast<size_t>(count) > c->src->bytes_in_buffer)
      stop(reader_of(c), "truncated JPEG");
    c->src->next_input_byte += count;
    c->src->bytes_in_buffer -= static_cast<size_t>(count);
  };
  progress.progress_monitor = check_scans;
}

void read_header(Reader& r) {
  jpeg_create_decompress(&r.jpeg);
  r.jpeg.src = &r.source;
  r.jpeg.progress = &r.progress;
  jpeg_save_markers(&r.jpeg, JPEG_APP0 + 1, 0xFFFF);  // EXIF and XMP
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
}

// Throws Error where libjpeg jumped back with one.
void take(Reader& r, void (*step)(Reader&)) {
  if (setjmp(r.back) == 0) return step(r);
  if (r.errors.msg_code == JERR_OUT_OF_MEMORY) throw std::bad_alloc();
  fail(r.message);
}

PictureSize size(Bytes bytes) {
  Reader reader(bytes);
  take(reader, read_header);
  return {reader.jpeg.image_height, reader.jpeg.image_width};
}

int orientation(const jpeg_decompress_struct& jpeg) {
  constexpr std::string_view xmp_name("http://ns.adobe.com/xap/1.0/\0", 29);
  Bytes exif;
  std::string_view xmp;
  for (auto m = jpeg.marker_list; m; m = m->next) {
    const Bytes body(m->data, m->data_length);
    if (exif.empty() && has(body, 0, {"Exif\0\0", 6})) exif = body;
    if (xmp.empty() && has(body, 0, xmp_name))
      xmp = {reinterpret_cast<const char*>(m->data), m->data_length};
  }
  return orientation_of(exif, xmp);
}

Decoded decode(Bytes bytes) {
  Reader reader(bytes);
  Decoded out;
  std::vector<uint8_t> cmyk;
  take(reader, read_header);
  out.picture = Picture(reader.jpeg.image_height, reader.jpeg.image_width);
  reader.rgb = out.picture.pixels.data();
  if (reader.jpeg.out_color_space == JCS_CMYK) cmyk.resize(size_t{4} * reader.jpeg.image_width);
  reader.cmyk = cmyk.empty() ? nullptr : cmyk.data();
  take(reader, read_rows);
  out.orientation = orientation(reader.jpeg);
  out.damage = reader.warning;
  return out;
}

}  // namespace

// One bit for a block's DC in every plane comes to 512 pixels a byte.
const Format jpeg_format = {"JPEG", [](Bytes b) { return has(b, 0, "\xFF\xD8"); }, size, decode,
                            1000};

}  // namespace limbic::io
