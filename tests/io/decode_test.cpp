#include "limbic/io/decode.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstring>
#include <map>
#include <sstream>

#include "limbic/hash/hash.h"
#include "limbic/io/formats.h"
#include "tests/io/pictures.h"
#include "tests/text.h"

using namespace limbic;
using namespace limbic::io;
using namespace limbic::testing;

namespace {

using File = std::vector<uint8_t>;

// By file name, what Pillow decodes (16 x 24 pixels).
std::map<std::string, Picture> expected_pictures() {
  std::map<std::string, Picture> out;
  const File bytes = read_file(golden("pictures/expected.bin"));
  constexpr size_t name_bytes = 32;
  for (size_t at = 0; at < bytes.size();) {
    Picture picture(16, 24);
    const std::string name(reinterpret_cast<const char*>(&bytes[at]));
    std::copy_n(&bytes[at + name_bytes], picture.pixels.size(), picture.pixels.data());
    at += name_bytes + picture.pixels.size();
    out[name] = picture;
  }
  return out;
}

int largest_difference(const Picture& a, const Picture& b) {
  REQUIRE(a.height == b.height);
  REQUIRE(a.width == b.width);
  int largest = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i)
    largest = std::max(largest, std::abs(int{a.pixels[i]} - int{b.pixels[i]}));
  return largest;
}

std::string refusal(const File& bytes, DecodeOptions options = {}) {
  const std::string message = error_of([&] { decode(bytes, "a.jpg", options); });
  CAPTURE(message);
  CHECK(is_one_line_about(message, "a.jpg"));
  return message;
}

}  // namespace

TEST_CASE("decode: every kind of file against Pillow's pixels") {
  const auto expected = expected_pictures();
  REQUIRE(expected.size() == 25);
  for (const auto& entry : expected) {
    const std::string& name = entry.first;
    CAPTURE(name);
    CHECK(largest_difference(decode_file(golden("pictures/" + name), {.apply_exif = false}),
                             entry.second) == 0);
  }
}

TEST_CASE("decode: all EXIF orientations") {
  // The golden files hold the same stored pixels under each orientation.
  const Picture stored = decode_file(golden("pictures/rgb.jpg"));
  const int64_t h = stored.height, w = stored.width;
  for (int orientation = 1; orientation <= 8; ++orientation) {
    CAPTURE(orientation);
    const Picture upright = decode_file(golden(str_cat("pictures/exif", orientation, ".jpg")));
    REQUIRE(upright.height == (orientation >= 5 ? w : h));
    bool equal = true;
    for (int64_t y = 0; y < h; ++y)
      for (int64_t x = 0; x < w; ++x) {
        // Where the standard says the stored row 0 and column 0 are seen.
        int64_t row = 0, column = 0;
        switch (orientation) {
          case 1:
            row = y, column = x;
            break;  // top, left
          case 2:
            row = y, column = w - 1 - x;
            break;  // top, right
          case 3:
            row = h - 1 - y, column = w - 1 - x;
            break;  // bottom, right
          case 4:
            row = h - 1 - y, column = x;
            break;  // bottom, left
          case 5:
            row = x, column = y;
            break;  // left, top
          case 6:
            row = x, column = h - 1 - y;
            break;  // right, top
          case 7:
            row = w - 1 - x, column = h - 1 - y;
            break;  // right, bottom
          case 8:
            row = w - 1 - x, column = y;
            break;  // left, bottom
        }
        equal = equal && std::equal(stored.row(y) + x * 3, stored.row(y) + x * 3 + 3,
                                    upright.row(row) + column * 3);
      }
    CHECK(equal);
  }
  CHECK(decode_file(golden("pictures/exif6.png")).height == w);
  CHECK(decode_file(golden("pictures/exif6.jpg"), {.apply_exif = false}).height == h);
}

TEST_CASE("exif: byte orders and damage") {
  const File little = {'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0};
  const File big = {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 8, 0, 0};
  CHECK(orientation_of(little, "") == 6);
  CHECK(orientation_of(big, "") == 8);
  for (size_t cut = 0; cut < little.size(); ++cut) {
    const File part(little.begin(), little.begin() + static_cast<std::ptrdiff_t>(cut));
    const int orientation = orientation_of(part, "");
    CHECK((orientation == 1 || (orientation == 6 && cut >= 20)));
  }
  File far = little;
  far[4] = far[5] = far[6] = far[7] = 0xFF;  // a directory outside the block
  CHECK(orientation_of(far, "") == 1);
  File odd = little;
  odd[18] = 9;  // there is no orientation 9
  CHECK(orientation_of(odd, "") == 1);
}

TEST_CASE("decode: what is no picture is refused in one line") {
  CHECK(contains(refusal({}), "empty"));
  const std::string text = "Not Found: the page has moved.\n";
  CHECK(contains(refusal({text.begin(), text.end()}), "text file"));
  CHECK(contains(refusal({0, 1, 2, 3}), "not a JPEG, PNG, WebP, GIF or BMP"));
  const std::string webp("RIFF\0\0\0\0WEBPVP8 ", 16);
  CHECK(contains(refusal({webp.begin(), webp.end()}), "WebP"));
  CHECK(is_one_line_about(error_of([] { decode_file("/nowhere/a.jpg"); }), "/nowhere/a.jpg"));
  CHECK(is_one_line_about(error_of([] { decode_file("/"); }), "/"));
}

TEST_CASE("decode: files cut anywhere are refused") {
  for (const char* name : {"rgb.jpg", "progressive.jpg", "subsampled.jpg", "cmyk.jpg", "grey.jpg",
                           "rgb.png", "palette.png", "rgb16.png", "rgb.bmp", "palette.bmp"}) {
    CAPTURE(name);
    const File whole = read_file(golden(std::string("pictures/") + name));
    for (size_t cut = 1; cut < whole.size(); cut += cut + 12 < whole.size() ? 7 : 1) {
      CAPTURE(cut);
      const File part(whole.begin(), whole.end() - static_cast<std::ptrdiff_t>(cut));
      // A PNG's end, and the checksums before it, hold no pixels.
      if (std::string_view(name).ends_with(".png") && cut <= 20)
        CHECK((error_of([&] { decode(part, "a"); }) != "" ||
               decode(part, "a") == decode(whole, "a")));
      else
        refusal(part);
    }
  }
  const File gif = read_file(golden("pictures/first.gif"));
  CHECK(contains(refusal({gif.begin(), gif.begin() + 900}), "truncated"));
  const File jpeg = read_file(golden("pictures/rgb.jpg"));
  CHECK(contains(refusal({jpeg.begin(), jpeg.end() - 20}), "truncated"));
}

TEST_CASE("decode: sizes are checked before memory is asked for") {
  File png = encode_png(Picture(2, 3));
  const auto declare = [&png](uint32_t width, uint32_t height) {
    for (int i = 0; i < 4; ++i) {
      png[static_cast<size_t>(16 + i)] = static_cast<uint8_t>(width >> (24 - 8 * i));
      png[static_cast<size_t>(20 + i)] = static_cast<uint8_t>(height >> (24 - 8 * i));
    }
  };
  declare(60000, 60000);
  CHECK(contains(refusal(png), "60000x60000 pixels"));
  for (const uint32_t side : {0x7fffffffu, 0xffffffffu}) {  // 2^62 and more must not wrap
    declare(side, side);
    CHECK(contains(refusal(png), str_cat(side, "x", side, " pixels")));
    CHECK(decoded_bytes(png) == 0);
  }
  File text = encode_png(Picture(2, 3));  // 900 MB of text, says the file
  const std::string_view chunk("\x37\0\0\0tEXta\0b\0\0\0\0", 15);
  text.insert(text.begin() + 33, chunk.begin(), chunk.end());
  CHECK(contains(refusal(text), "too large"));
  declare(2, 3);  // was 3 x 2
  CHECK(contains(refusal(png), "a chunk's checksum is wrong"));
  File bmp = read_file(golden("pictures/rgb.bmp"));
  bmp[18] = bmp[19] = 0xFF;  // 65535 wide
  CHECK(contains(refusal(bmp), "truncated"));
  File gif = read_file(golden("pictures/first.gif"));
  gif[6] = gif[7] = gif[8] = gif[9] = 0xFF;
  CHECK(contains(refusal(gif), "65535x65535"));
  gif[7] = gif[9] = 0x1F;
  CHECK(contains(refusal(gif), "cannot hold"));
  File jpeg = read_file(golden("pictures/rgb.jpg"));
  const auto frame =
      std::search(jpeg.begin(), jpeg.end(), std::begin({0xFF, 0xC0}), std::end({0xFF, 0xC0}));
  (void)frame;
  for (size_t i = 0; i + 8 < jpeg.size(); ++i)
    if (jpeg[i] == 0xFF && jpeg[i + 1] == 0xC0) jpeg[i + 5] = jpeg[i + 7] = 16;  // 4096 and more
  CHECK(contains(refusal(jpeg), "cannot hold"));
  CHECK(contains(refusal(encode_png(Picture(20, 30)), {.max_pixels = 599}), "30x20 pixels"));
  CHECK(decode(encode_png(Picture(20, 30)), "a", {.max_pixels = 600}).width == 30);
}

TEST_CASE("decode: extreme but whole pictures") {
  CHECK(decode(encode_png(Picture(1, 1)), "a").pixels == File{0, 0, 0});
  const Picture wide = random_picture(10, 20000, 1);
  CHECK(decode(encode_png(wide), "a") == wide);
  const Picture tall = random_picture(20000, 10, 2);
  CHECK(decode(encode_png(tall), "a") == tall);
}

// LIMBIC_MUTATIONS=20000 asks for more.
TEST_CASE("decode: 2000 damaged files give a picture or an Error") {
  const char* names[] = {"rgb.jpg",     "progressive.jpg", "cmyk.jpg",  "subsampled.jpg",
                         "exif6.jpg",   "palette.png",     "rgb16.png", "bits.png",
                         "palette.bmp", "rgb.bmp",         "first.gif", "ycck.jpg"};
  std::vector<File> files;
  for (const char* name : names)
    files.push_back(read_file(golden(std::string("pictures/") + name)));
  for (const auto& entry : std::filesystem::directory_iterator(golden("kinds")))
    if (entry.path().extension() != ".tsv") files.push_back(read_file(entry.path().string()));
  const char* asked = std::getenv("LIMBIC_MUTATIONS");
  const int mutations = asked ? std::atoi(asked) : 2000;
  Random random(42);
  int decoded = 0, refused = 0;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < mutations; ++i) {
    File bytes = files[static_cast<size_t>(random.below(std::ssize(files)))];
    for (int64_t k = random.below(6); k >= 0; --k)
      bytes[static_cast<size_t>(random.below(std::ssize(bytes)))] =
          static_cast<uint8_t>(random.below(256));
    if (random.below(8) == 0) bytes.resize(static_cast<size_t>(random.below(std::ssize(bytes))));
    try {
      const Picture picture = decode(bytes, "a.jpg", {.max_pixels = 1 << 20});
      REQUIRE(std::ssize(picture.pixels) == picture.height * picture.width * 3);
      ++decoded;
    } catch (const Error& error) {
      REQUIRE(is_one_line_about(error.what(), "a.jpg"));
      ++refused;
    }
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  MESSAGE(decoded << " decoded, " << refused << " refused in " << seconds.count() << " s");
  CHECK(decoded > 100);
  CHECK(refused > 100);
}

TEST_CASE("decode: colour and samples of unusual files") {
  // Four inks without a word on them are CMYK, not YCbCr and alpha.
  const auto expected = expected_pictures();
  CHECK(largest_difference(decode_file(golden("pictures/cmyk_without_adobe.jpg")),
                           expected.at("cmyk.jpg")) <= 3);
  CHECK(expected.at("ycck.jpg") != expected.at("cmyk.jpg"));
  // 16 bits keep their high byte: the generator adds 77 below it.
  CHECK(decode_file(golden("pictures/rgb16.png")) == decode_file(golden("pictures/rgb.png")));
  // A GIF's transparent pixels keep their colour, as a PNG's do.
  const File gif = read_file(golden("pictures/first.gif"));
  const std::ptrdiff_t tables_end = 13 + (3 << ((gif[10] & 7) + 1));
  for (uint8_t entry = 0; entry < 64; ++entry) {
    const File control = {0x21, 0xF9, 4, 1, 0, 0, entry, 0};
    File transparent = gif;
    transparent.insert(transparent.begin() + tables_end, control.begin(), control.end());
    CHECK(decode(transparent, "a.gif") == expected.at("first.gif"));
  }
  // The first frame, not the one that is its rotation.
  CHECK(decode_file(golden("pictures/first.gif")) == expected.at("palette.png"));
}

TEST_CASE("decode: tables that would lead the decoder astray") {
  const File jpeg = read_file(golden("pictures/rgb.jpg"));
  const auto find = [&jpeg](uint8_t code) {
    for (size_t i = 0; i + 1 < jpeg.size(); ++i)
      if (jpeg[i] == 0xFF && jpeg[i + 1] == code) return i;
    return jpeg.size();
  };
  const size_t huffman = find(0xC4), quantisation = find(0xDB), scan = find(0xDA);
  REQUIRE(scan < jpeg.size());
  File crowded = {0xFF, 0xC4, 0, 0, 0};  // 16 x 255 codes in one table
  crowded.resize(5 + 16, 255);
  crowded.resize(5 + 16 + 16 * 255, 0);
  crowded[2] = static_cast<uint8_t>((crowded.size() - 2) >> 8);
  crowded[3] = static_cast<uint8_t>(crowded.size() - 2);
  File overrun = jpeg;
  overrun.insert(overrun.begin() + 2, crowded.begin(), crowded.end());
  CHECK(contains(refusal(overrun), "corrupt JPEG"));
  File missing = jpeg;  // turned into a comment: never defined
  missing[quantisation + 1] = 0xFE;
  CHECK(contains(refusal(missing), "corrupt JPEG"));
  // Without Huffman tables it is a frame of Motion-JPEG, which has the standard's.
  File frame = jpeg;
  for (size_t at = huffman; at < scan; at += 2 + (size_t{frame[at + 2]} << 8 | frame[at + 3]))
    if (frame[at + 1] == 0xC4) frame[at + 1] = 0xFE;
  CHECK(decode(frame, "a") == decode(jpeg, "a"));
  File elsewhere = jpeg;
  elsewhere[scan + 6] = 0x33;  // tables number 3
  CHECK(contains(refusal(elsewhere), "corrupt JPEG"));
  File repeated(jpeg.begin(), jpeg.end() - 2);
  for (int i = 0; i < 300; ++i)
    repeated.insert(repeated.end(), jpeg.begin() + static_cast<std::ptrdiff_t>(scan),
                    jpeg.end() - 2);
  repeated.insert(repeated.end(), {0xFF, 0xD9});
  CHECK(decode(repeated, "a") == decode(jpeg, "a"));  // all is in the first scan
}

TEST_CASE("decode: a JPEG of very many scans is refused before the work, not a small one") {
  File jpeg = read_file(golden("pictures/progressive.jpg"));
  const auto find = [&](uint8_t marker) {
    for (size_t at = jpeg.size() - 1; at > 0; --at)
      if (jpeg[at - 1] == 0xFF && jpeg[at] == marker) return at - 1;
    return size_t{0};
  };
  const size_t last_scan = find(0xDA), end = find(0xD9), frame = find(0xC2);
  REQUIRE(last_scan > 0);
  REQUIRE(frame > 0);
  const File scan(jpeg.begin() + int64_t(last_scan), jpeg.begin() + int64_t(end));
  File many = jpeg;
  for (int i = 0; i < 200; ++i) many.insert(many.end() - 2, scan.begin(), scan.end());
  // Of 16 x 24 pixels they are no work; what the decoder says of such scans is another matter.
  CHECK_FALSE(contains(error_of([&] { decode(many, "a.jpg"); }), " scans over "));
  for (const size_t at : {frame + 5, frame + 7}) {  // 5000 x 5000
    many[at] = 5000 >> 8;
    many[at + 1] = 5000 & 255;
  }
  const File comment = {0xFF, 0xFE, 0xFF, 0xFF};  // makes the file large enough for its pixels
  many.insert(many.begin() + 2, 0xFFFF - 2, 'x');
  many.insert(many.begin() + 2, comment.begin(), comment.end());
  CHECK(contains(refusal(many), " scans over 25000000 pixels"));
}

TEST_CASE("decode: files of strangers, by kind") {
  // tests/goldens/kinds: NAME, WxH or refused, the first 16 digits of its RGB rows' SHA-256 or a
  // part of the refusal.
  std::istringstream lines(text_of(golden("kinds/expected.tsv")));
  int files = 0;
  for (std::string line; std::getline(lines, line); ++files) {
    const size_t first = line.find('\t'), second = line.find('\t', first + 1);
    const std::string name = line.substr(0, first),
                      size = line.substr(first + 1, second - first - 1),
                      rest = line.substr(second + 1);
    CAPTURE(name);
    const std::string path = golden("kinds/" + name);
    if (size == "refused") {
      CHECK(contains(error_of([&] { decode_file(path); }), rest));
      continue;
    }
    const Picture picture = decode_file(path);
    CHECK(str_cat(picture.width, "x", picture.height) == size);
    CHECK(sha256(picture.pixels).substr(0, 16) == rest);
    CHECK(decode_file(path) == picture);
  }
  CHECK(files > 40);
}
