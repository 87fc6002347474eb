// Groups: the old kind is a B-tree of symbol tables with names in a local heap; the new kind has a
// message for each link, or a fractal heap of such messages (HDF5 File Format Specification, III.B
// to III.D, IV.A.2.c, IV.A.2.g).
#include "limbic/weights/hdf5/btree.h"
#include "limbic/weights/hdf5/hdf5.h"
#include "limbic/weights/header.h"

namespace limbic::weights {
namespace {

constexpr const char* group_text = "HDF5 group";

void add(const Hdf5Bytes& file, uint64_t at, std::string name, uint64_t address,
         Hdf5File::Links& out) {
  if (name.empty()) file.refuse(group_text, at, "a link has no name; the file is damaged");
  const std::string quoted = in_quotes(name);
  if (!out.emplace(std::move(name), address).second)
    file.refuse(group_text, at, "has the link ", quoted, " twice; the file is damaged");
}

}  // namespace

Hdf5File::Hdf5File(std::span<const uint8_t> bytes, std::string path, uint64_t memory)
    : bytes_(bytes, std::move(path), memory), heap_(bytes_), root_(hdf5_root(bytes_)) {}

const Hdf5File::Links& Hdf5File::links(uint64_t group) {
  const auto found = links_.find(group);
  if (found != links_.end()) return found->second;
  bytes_.keep(96);
  return links_.emplace(group, read_links(group)).first->second;
}

std::optional<uint64_t> Hdf5File::find(uint64_t group, std::string_view path) {
  uint64_t at = group;
  while (!path.empty()) {
    const size_t slash = path.find('/');
    const std::string name(path.substr(0, slash));
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
    if (name.empty()) continue;
    bytes_.work(64);  // a long path may run in circles
    if (!is_group(at)) return std::nullopt;
    const Links& all = links(at);
    const auto found = all.find(name);
    if (found == all.end()) return std::nullopt;
    at = found->second;
  }
  return at;
}

bool Hdf5File::is_group(uint64_t object) const {
  if (links_.count(object)) return true;
  const auto messages = hdf5_object(bytes_, object);
  return find_message(messages, Hdf5Kind::symbol_table) ||
         find_message(messages, Hdf5Kind::link_info);
}

Hdf5File::Links Hdf5File::read_links(uint64_t group) {
  Links out;
  for (const Hdf5Message& message : hdf5_object(bytes_, group)) {
    if (message.kind == Hdf5Kind::symbol_table) read_symbol_table(message, out);
    if (message.kind == Hdf5Kind::link) read_link(hdf5_cursor(bytes_, message, group_text), out);
    if (message.kind == Hdf5Kind::link_info) read_dense_links(message, out);
  }
  return out;
}

void Hdf5File::read_symbol_table(const Hdf5Message& message, Links& out) {
  Hdf5Cursor where = hdf5_cursor(bytes_, message, group_text);
  const uint64_t tree = where.u64();
  const Hdf5LocalHeap names(bytes_, where.u64());
  visit_btree_v1(bytes_, tree, {.type = 0, .key_size = 8}, [&](const Hdf5Child& child) {
    Hdf5Cursor node(bytes_, bytes_.at(child.address, 8, group_text), child.address, group_text);
    node.signature("SNOD");
    node.version(1);
    node.skip(1);
    const uint64_t entries = node.u16();
    Hdf5Cursor in(bytes_, bytes_.at(child.address + 8, entries * 40, group_text), child.address,
                  group_text);
    for (uint64_t i = 0; i < entries; ++i) {
      const uint64_t name = in.u64(), address = in.u64();
      const uint32_t cached = in.u32();
      in.skip(4 + 16);
      constexpr uint32_t soft_link = 2;
      if (cached != soft_link) add(bytes_, message.address, names.text(name), address, out);
    }
  });
}

void Hdf5File::read_link(Hdf5Cursor in, Links& out) {
  in.version(1);
  const int flags = in.u8();
  const int kind = flags & 8 ? in.u8() : 0;
  if (flags & 4) in.skip(8);   // creation order
  if (flags & 16) in.skip(1);  // ASCII or UTF-8
  const uint64_t size = in.number(uint64_t{1} << (flags & 3));
  const auto name = in.take(size);
  constexpr int hard_link = 0;
  if (kind != hard_link) return;
  bytes_.keep(size + 96);
  add(bytes_, root_, std::string(reinterpret_cast<const char*>(name.data()), name.size()), in.u64(),
      out);
}

void Hdf5File::read_dense_links(const Hdf5Message& message, Links& out) {
  Hdf5Cursor in = hdf5_cursor(bytes_, message, group_text);
  in.version(0);
  if (in.u8() & 1) in.skip(8);  // the largest creation order
  const uint64_t heap_address = in.u64(), index = in.u64();
  if (heap_address == hdf5_undefined || index == hdf5_undefined) return;
  Hdf5FractalHeap heap(bytes_, heap_address);
  visit_btree_v2(bytes_, index, 5, [&](Hdf5Cursor record) {
    record.skip(4);  // hash of the name
    const auto link = heap.object(record.take(heap.id_size()));
    read_link({bytes_, link, heap_address, group_text}, out);
  });
}

}  // namespace limbic::weights
