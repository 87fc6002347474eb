#include "limbic/weights/hdf5/heap.h"

#include <algorithm>

namespace limbic::weights {
namespace {

constexpr const char* local = "HDF5 local heap";
constexpr const char* global = "HDF5 global heap";
constexpr uint64_t node_cost = 96;  // of a map's entry, in memory

}  // namespace

Hdf5LocalHeap::Hdf5LocalHeap(const Hdf5Bytes& file, uint64_t address)
    : file_(file), address_(address) {
  Hdf5Cursor in(file, file.at(address, 32, local), address, local);
  in.signature("HEAP");
  in.version(0);
  in.skip(3);
  const uint64_t size = in.u64();
  in.skip(8);  // free list
  const uint64_t data = in.u64();
  data_ = file.at(data, size, local);
}

std::string Hdf5LocalHeap::text(uint64_t offset) const {
  if (offset >= data_.size())
    file_.refuse(local, address_, "a name at ", offset, " lies outside its ", data_.size(),
                 " bytes; the file is damaged");
  const auto from = data_.subspan(offset);
  const auto end = std::find(from.begin(), from.end(), 0);
  if (end == from.end()) file_.refuse(local, address_, "the name at ", offset, " does not end");
  const auto size = static_cast<size_t>(end - from.begin());
  file_.work(size);
  file_.keep(size + node_cost);
  return {reinterpret_cast<const char*>(from.data()), size};
}

Hdf5GlobalHeap::Collection Hdf5GlobalHeap::read(uint64_t address) const {
  Hdf5Cursor header(file_, file_.at(address, 16, global), address, global);
  header.signature("GCOL");
  header.version(1);
  header.skip(3);
  const uint64_t size = header.u64();
  if (size < 16) header.refuse("has ", size, " bytes, expected at least 16");
  Hdf5Cursor in(file_, file_.at(address, size, global), address, global);
  in.skip(16);
  Collection out;
  while (in.left() >= 16) {
    const uint32_t index = in.u16();
    in.skip(6);  // reference count, reserved
    const uint64_t bytes = in.u64();
    if (index == 0) break;  // the free space at the end
    file_.keep(node_cost);
    if (!out.emplace(index, in.take(bytes)).second)
      in.refuse("object ", index, " is there twice; the file is damaged");
    in.skip(std::min((8 - bytes % 8) % 8, in.left()));
  }
  return out;
}

std::span<const uint8_t> Hdf5GlobalHeap::object(uint64_t address, uint32_t index) {
  auto found = collections_.find(address);
  if (found == collections_.end()) {
    file_.keep(node_cost);
    found = collections_.emplace(address, read(address)).first;
  }
  const auto object = found->second.find(index);
  if (object == found->second.end())
    file_.refuse(global, address, "has no object ", index, "; the file is damaged");
  return object->second;
}

}  // namespace limbic::weights
