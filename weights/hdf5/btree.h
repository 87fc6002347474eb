#pragma once
#include <cstdint>
#include <functional>
#include <span>

#include "limbic/weights/hdf5/bytes.h"

namespace limbic::weights {

/// What a leaf of a version 1 B-tree holds for one child (HDF5 File Format Specification, III.A.1).
struct Hdf5Child {
  std::span<const uint8_t> key;  ///< Of `key_size` bytes, the key on the child's left.
  uint64_t address;
};

struct Hdf5TreeKind {
  uint8_t type;       ///< 0: groups, 1: chunks.
  uint64_t key_size;  ///< Bytes of a key.
};

/// Calls `visit` for all children of the leaves of a version 1 B-tree, in order. Throws Error where
/// a node comes twice or its level is not one below its parent's.
void visit_btree_v1(const Hdf5Bytes& file, uint64_t root, const Hdf5TreeKind& kind,
                    const std::function<void(const Hdf5Child&)>& visit);

/// Calls `visit` for all records of a version 2 B-tree of this type (III.A.2). 1: huge objects of a
/// fractal heap, 5: links by name, 8: attributes by name.
void visit_btree_v2(const Hdf5Bytes& file, uint64_t header, uint8_t type,
                    const std::function<void(Hdf5Cursor)>& visit);

}  // namespace limbic::weights
