#pragma once
// HDF5: the part of it that Keras writes with h5py. Source: HDF5 File Format Specification, version
// 3.0, https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html; the comments name its
// sections.
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "limbic/core/tensor.h"
#include "limbic/weights/hdf5/bytes.h"
#include "limbic/weights/hdf5/heap.h"
#include "limbic/weights/hdf5/object.h"

namespace limbic::weights {

/// The values of a data set, row-major and little-endian.
struct Hdf5Array {
  DType dtype = DType::f32;
  Shape shape;
  std::span<const uint8_t> bytes;  ///< Of the file, at any alignment, or of `owner`.
  std::shared_ptr<void> owner;
};

/// An HDF5 file in memory: groups, attributes that are text, and data sets of numbers. Read are
/// superblocks 0 to 3, both kinds of object headers, groups and attribute storage, contiguous,
/// compact and chunked data (B-tree, or a fixed number of chunks), deflate and shuffle. Everything
/// else is refused in plain words. Objects are named by the address of their header. All members
/// throw Error beginning with the path; metadata's checksums are verified where the file has them.
class Hdf5File {
 public:
  /// `bytes` must outlive this. `memory` limits what reading may take, see Hdf5Bytes.
  Hdf5File(std::span<const uint8_t> bytes, std::string path, uint64_t memory);

  using Links = std::map<std::string, uint64_t>;

  uint64_t root() const { return root_; }
  /// Names and objects of a group, soft and external links left out; read once, then remembered.
  const Links& links(uint64_t group);
  /// The object at "a/b/c" below a group, if it is there.
  std::optional<uint64_t> find(uint64_t group, std::string_view path);
  bool is_group(uint64_t object) const;
  /// An attribute that is text or a list of texts; nothing where there is none of this name or it
  /// is no text. Throws Error where it is damaged.
  std::optional<std::vector<std::string>> text(uint64_t object, const std::string& name);
  /// The shape of a data set; `name` is for messages.
  Shape shape(uint64_t object, const std::string& name) const;
  /// A data set of numbers; `name` is for messages. 2-byte opaque elements marked "bfloat16" by
  /// Keras are BF16.
  Hdf5Array array(uint64_t object, const std::string& name);

  const Hdf5Bytes& bytes() const { return bytes_; }

 private:
  Links read_links(uint64_t group);
  void read_symbol_table(const Hdf5Message& message, Links& out);
  void read_link(Hdf5Cursor in, Links& out);
  void read_dense_links(const Hdf5Message& message, Links& out);
  std::vector<std::string> read_texts(const Hdf5Message& type, const Hdf5Message& space,
                                      std::span<const uint8_t> data);

  Hdf5Bytes bytes_;
  Hdf5GlobalHeap heap_;
  uint64_t root_;
  std::map<uint64_t, Links> links_;
};

}  // namespace limbic::weights
