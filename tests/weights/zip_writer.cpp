#include "tests/weights/zip_writer.h"

#include <zlib.h>

#include <cstring>

#include "limbic/core/error.h"

namespace limbic {
namespace {

using Bytes = std::vector<uint8_t>;

template <class T>
void put(Bytes& out, std::type_identity_t<T> value) {
  const auto* raw = reinterpret_cast<const uint8_t*>(&value);
  out.insert(out.end(), raw, raw + sizeof value);
}

void put(Bytes& out, const std::string& text) { out.insert(out.end(), text.begin(), text.end()); }

Bytes deflated(const Bytes& content) {
  z_stream stream{};
  require(deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY) == Z_OK, "zlib");
  Bytes out(deflateBound(&stream, content.size()));
  stream.next_in = const_cast<uint8_t*>(content.data());
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = out.data(), stream.avail_out = static_cast<uInt>(out.size());
  require(deflate(&stream, Z_FINISH) == Z_STREAM_END, "zlib");
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

// What the local header and the directory's entry share: version, flags, method, time, date, CRC.
void put_common(Bytes& out, const ZipWriterMember& m) {
  put<uint16_t>(out, m.zip64 ? 45 : 20);
  put<uint16_t>(out, m.sizes_behind ? 8 : 0);
  put<uint16_t>(out, m.deflate ? 8 : 0);
  put<uint32_t>(out, 0);
}

struct Written {
  uint64_t header, compressed;
  uint32_t crc;
};

Written put_member(Bytes& out, const ZipWriterMember& m) {
  const Bytes data = m.deflate ? deflated(m.content) : m.content;
  const Written written{out.size(), data.size(),
                        static_cast<uint32_t>(crc32(0, m.content.data(), m.content.size()))};
  put<uint32_t>(out, 0x04034b50);
  put_common(out, m);
  put<uint32_t>(out, m.sizes_behind ? 0 : written.crc);
  put<uint32_t>(out, m.sizes_behind ? 0 : data.size());
  put<uint32_t>(out, m.sizes_behind ? 0 : m.content.size());
  const size_t plain = out.size() + 4 + m.name.size();
  const size_t padding = (m.alignment - plain % m.alignment) % m.alignment;
  put<uint16_t>(out, m.name.size());
  put<uint16_t>(out, padding);
  put(out, m.name);
  out.insert(out.end(), padding, 'Z');
  out.insert(out.end(), data.begin(), data.end());
  if (m.sizes_behind) {
    put<uint32_t>(out, 0x08074b50);
    put<uint32_t>(out, written.crc);
    put<uint32_t>(out, data.size());
    put<uint32_t>(out, m.content.size());
  }
  return written;
}

void put_entry(Bytes& out, const ZipWriterMember& m, const Written& w) {
  Bytes extra;
  if (m.zip64) {
    put<uint16_t>(extra, 0x5455);  // a field of another kind comes first
    put<uint16_t>(extra, 1);
    put(extra, "x");
    put<uint16_t>(extra, 1);
    put<uint16_t>(extra, 24);
    for (uint64_t value : {uint64_t{m.content.size()}, w.compressed, w.header})
      put<uint64_t>(extra, value);
  }
  put<uint32_t>(out, 0x02014b50);
  put<uint16_t>(out, 20);
  put_common(out, m);
  put<uint32_t>(out, w.crc);
  put<uint32_t>(out, m.zip64 ? UINT32_MAX : w.compressed);
  put<uint32_t>(out, m.zip64 ? UINT32_MAX : m.content.size());
  put<uint16_t>(out, m.name.size());
  put<uint16_t>(out, extra.size());
  for (int i = 0; i < 3; ++i) put<uint16_t>(out, 0);  // comment, disc, attributes
  put<uint32_t>(out, 0);
  put<uint32_t>(out, m.zip64 ? UINT32_MAX : w.header);
  put(out, m.name);
  out.insert(out.end(), extra.begin(), extra.end());
}

}  // namespace

std::vector<uint8_t> write_zip(const std::vector<ZipWriterMember>& members,
                               const ZipWriterOptions& options) {
  Bytes out;
  std::vector<Written> written;
  for (const auto& m : members) written.push_back(put_member(out, m));
  const uint64_t begin = out.size();
  for (size_t i = 0; i < members.size(); ++i) put_entry(out, members[i], written[i]);
  const uint64_t end = out.size();
  if (options.zip64) {
    put<uint32_t>(out, 0x06064b50);
    put<uint64_t>(out, 44);
    put<uint32_t>(out, 45 << 16 | 45);
    put<uint64_t>(out, 0);  // this disc, that of the directory
    for (uint64_t value : {uint64_t{members.size()}, uint64_t{members.size()}, end - begin, begin})
      put<uint64_t>(out, value);
    put<uint32_t>(out, 0x07064b50);
    put<uint32_t>(out, 0);
    put<uint64_t>(out, end);
    put<uint32_t>(out, 1);
  }
  put<uint32_t>(out, 0x06054b50);
  put<uint32_t>(out, 0);
  for (int i = 0; i < 2; ++i) put<uint16_t>(out, options.zip64 ? UINT16_MAX : members.size());
  put<uint32_t>(out, options.zip64 ? UINT32_MAX : end - begin);
  put<uint32_t>(out, options.zip64 ? UINT32_MAX : begin);
  put<uint16_t>(out, options.comment.size());
  put(out, options.comment);
  return out;
}

MappedFile at_exact_size(const std::vector<uint8_t>& bytes, const std::string& path) {
  auto* data = new uint8_t[bytes.size()];
  std::copy(bytes.begin(), bytes.end(), data);
  return {std::shared_ptr<void>(data, [](void* p) { delete[] static_cast<uint8_t*>(p); }),
          {data, bytes.size()},
          path};
}

}  // namespace limbic
