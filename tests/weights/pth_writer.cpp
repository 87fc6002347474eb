#include "tests/weights/pth_writer.h"

#include <cstring>

namespace limbic::pickled {
namespace {

template <class T>
std::string raw(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

std::string join(const Parts& parts) {
  std::string out;
  for (const auto& part : parts) out += part;
  return out;
}

}  // namespace

std::string u32(uint64_t value) { return raw(static_cast<uint32_t>(value)); }
std::string u64(uint64_t value) { return raw(value); }

std::string none() { return "N"; }
std::string boolean(bool value) { return value ? "\x88" : "\x89"; }

std::string integer(int64_t value) {
  if (value >= 0 && value < 256) return "K" + raw(static_cast<uint8_t>(value));
  if (value >= 0 && value < 65536) return "M" + raw(static_cast<uint16_t>(value));
  if (value == static_cast<int32_t>(value)) return "J" + raw(static_cast<int32_t>(value));
  return "\x8a\x08" + raw(value);
}

std::string real(double value) {
  std::string bytes = raw(value);
  return "G" + std::string(bytes.rbegin(), bytes.rend());
}

std::string text(const std::string& value) { return "X" + u32(value.size()) + value; }
std::string tuple(const Parts& items) { return "(" + join(items) + "t"; }
std::string list(const Parts& items) { return "](" + join(items) + "e"; }

std::string integers(const std::vector<int64_t>& values) {
  Parts parts;
  for (int64_t value : values) parts.push_back(integer(value));
  return tuple(parts);
}

std::string dict(const std::vector<std::pair<std::string, std::string>>& items) {
  std::string out = "}(";
  for (const auto& [key, value] : items) out += text(key) + value;
  return out + "u";
}

std::string global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}

std::string reduce(const std::string& callable, const Parts& arguments) {
  return callable + tuple(arguments) + "R";
}

std::string persistent(const std::string& id) { return id + "Q"; }

std::string pickle(const std::string& value, int protocol) {
  return "\x80" + raw(static_cast<uint8_t>(protocol)) + value + ".";
}

std::string storage(const std::string& type, const std::string& key, int64_t elements) {
  return persistent(
      tuple({text("storage"), global("torch", type), text(key), text("cpu"), integer(elements)}));
}

std::string tensor(const std::string& storage, const TensorOptions& o) {
  return reduce(global("torch._utils", "_rebuild_tensor_v2"),
                {storage, integer(o.offset), integers(o.sizes), integers(o.strides), boolean(false),
                 reduce(global("collections", "OrderedDict"), {})});
}

std::vector<uint8_t> zip_form(const std::string& pickle, const std::vector<Storage>& storages,
                              const ZipOptions& o) {
  const auto member = [&](const std::string& name, std::vector<uint8_t> content) {
    return ZipWriterMember{.name = o.stem + name,
                           .content = std::move(content),
                           .deflate = o.deflate,
                           .alignment = o.alignment};
  };
  std::vector<ZipWriterMember> members = {member("data.pkl", {pickle.begin(), pickle.end()})};
  if (!o.byteorder.empty())
    members.push_back(member("byteorder", {o.byteorder.begin(), o.byteorder.end()}));
  for (const Storage& s : storages) members.push_back(member("data/" + s.key, s.bytes));
  members.push_back(member("version", {'3', '\n'}));
  return write_zip(members, o.archive);
}

std::string stream_head() {
  return pickle("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19") + pickle(integer(1001)) +
         pickle(dict({{"protocol_version", integer(1001)}, {"little_endian", boolean(true)}}));
}

std::vector<uint8_t> stream_form(const std::string& object, const std::vector<Storage>& storages) {
  Parts keys;
  for (const Storage& s : storages) keys.push_back(text(s.key));
  std::string out = stream_head() + object + pickle(list(keys));
  for (const Storage& s : storages) {
    out += u64(s.bytes.size() / static_cast<uint64_t>(s.element));
    out.append(s.bytes.begin(), s.bytes.end());
  }
  return {out.begin(), out.end()};
}

}  // namespace limbic::pickled
