#include "limbic/weights/hdf5/btree.h"

#include <bit>
#include <set>
#include <vector>

namespace limbic::weights {
namespace {

constexpr const char* tree = "HDF5 B-tree";
constexpr size_t max_nodes = 65536;

// A node that is still to be read; `level` is its height above the leaves.
struct Node {
  uint64_t address, records;
  int level;
};

// Nodes are read once each and there are not too many: a damaged tree cannot be a loop.
class Walk {
 public:
  Walk(const Hdf5Bytes& file, const Node& root) : file_(file) { push(root); }

  void push(const Node& node) {
    if (!seen_.insert(node.address).second)
      file_.refuse(tree, node.address, "a node belongs to the tree twice; the file is damaged");
    if (seen_.size() > max_nodes)
      file_.refuse(tree, node.address, "the tree has over ", max_nodes, " nodes");
    nodes_.push_back(node);
  }

  bool next(Node& node) {
    if (nodes_.empty()) return false;
    node = nodes_.back();
    nodes_.pop_back();
    return true;
  }

 private:
  const Hdf5Bytes& file_;
  std::set<uint64_t> seen_;
  std::vector<Node> nodes_;
};

// Bytes that hold numbers up to `largest`.
uint64_t encoded_size(uint64_t largest) {
  return largest == 0 ? 1 : (static_cast<uint64_t>(std::bit_width(largest)) - 1) / 8 + 1;
}

// What the header of a version 2 tree says, and the sizes of its nodes' child pointers.
struct Layout {
  uint8_t type;
  uint64_t node_size, record_size;
  int depth;
  Node root;
  std::vector<uint64_t> total_size;  ///< Bytes of "records below", for each level's nodes.
  uint64_t count_size;               ///< Bytes of "records in the child".
};

// Pointers are as wide as the most records below them need (III.A.2, internal nodes).
void compute_sizes(Layout& layout) {
  constexpr uint64_t overhead = 10;
  const uint64_t in_leaf = (layout.node_size - overhead) / layout.record_size;
  layout.count_size = encoded_size(in_leaf);
  layout.total_size.push_back(0);
  uint64_t below = in_leaf;
  for (int level = 1; level <= layout.depth; ++level) {
    const uint64_t pointer = 8 + layout.count_size + layout.total_size.back();
    const uint64_t records =
        layout.node_size < overhead + pointer
            ? 0
            : (layout.node_size - overhead - pointer) / (layout.record_size + pointer);
    if (__builtin_mul_overflow(records + 1, below, &below) ||
        __builtin_add_overflow(below, records, &below))
      below = UINT64_MAX;
    layout.total_size.push_back(encoded_size(below));
  }
}

Layout read_header(const Hdf5Bytes& file, uint64_t address, uint8_t type) {
  const auto bytes = file.at(address, 38, tree);
  Hdf5Cursor in(file, bytes, address, tree);
  in.signature("BTHD");
  file.check_sum(bytes, address, tree);
  in.version(0);
  const int got = in.u8();
  if (got != type) in.refuse("has type ", got, ", expected ", int{type});
  Layout out{.type = type, .node_size = in.u32(), .record_size = in.u16(), .depth = in.u16()};
  in.skip(2);
  out.root.address = in.u64();
  out.root.records = in.u16();
  out.root.level = out.depth;
  constexpr int max_depth = 16;
  if (out.depth > max_depth) in.refuse("has a depth of ", out.depth, ", at most ", max_depth);
  if (out.record_size == 0 || out.node_size < 10 + out.record_size)
    in.refuse("has records of ", out.record_size, " bytes in nodes of ", out.node_size);
  compute_sizes(out);
  return out;
}

void visit_node(const Hdf5Bytes& file, const Layout& layout, const Node& node, Walk& walk,
                const std::function<void(Hdf5Cursor)>& visit) {
  const auto level = static_cast<size_t>(node.level);
  const uint64_t pointer =
      node.level == 0 ? 0 : 8 + layout.count_size + layout.total_size[level - 1];
  // All factors are below 2^32 or 24.
  const uint64_t used = 6 + node.records * layout.record_size +
                        (node.level == 0 ? 0 : (node.records + 1) * pointer) + 4;
  if (used > layout.node_size)
    file.refuse(tree, node.address, "a node of ", layout.node_size, " bytes cannot hold ",
                node.records, " records");
  const auto bytes = file.at(node.address, used, tree);
  Hdf5Cursor in(file, bytes, node.address, tree);
  in.signature(node.level == 0 ? "BTLF" : "BTIN");
  file.check_sum(bytes, node.address, tree);
  in.version(0);
  const int type = in.u8();
  if (type != layout.type) in.refuse("a node has type ", type, ", its tree ", int{layout.type});
  for (uint64_t i = 0; i < node.records; ++i)
    visit(Hdf5Cursor(file, in.take(layout.record_size), node.address, tree));
  for (uint64_t i = 0; node.level > 0 && i <= node.records; ++i) {
    const uint64_t address = in.u64(), records = in.number(layout.count_size);
    in.skip(layout.total_size[level - 1]);
    walk.push({address, records, node.level - 1});
  }
}

}  // namespace

void visit_btree_v1(const Hdf5Bytes& file, uint64_t root, const Hdf5TreeKind& kind,
                    const std::function<void(const Hdf5Child&)>& visit) {
  Walk walk(file, {root, 0, -1});
  for (Node node{}; walk.next(node);) {
    Hdf5Cursor in(file, file.at(node.address, 24, tree), node.address, tree);
    in.signature("TREE");
    const int type = in.u8(), level = in.u8();
    const uint64_t used = in.u16();
    if (type != kind.type) in.refuse("has type ", type, ", expected ", int{kind.type});
    if (node.level >= 0 && level != node.level)
      in.refuse("a node has level ", level, ", expected ", node.level);
    const uint64_t size = used * (kind.key_size + 8) + kind.key_size;
    Hdf5Cursor entries(file, file.at(node.address + 24, size, tree), node.address, tree);
    std::vector<Node> below;
    for (uint64_t i = 0; i < used; ++i) {
      const auto key = entries.take(kind.key_size);
      const uint64_t child = entries.u64();
      if (level == 0)
        visit({key, child});
      else
        below.push_back({child, 0, level - 1});
    }
    for (size_t i = below.size(); i > 0; --i) walk.push(below[i - 1]);  // the first comes next
  }
}

void visit_btree_v2(const Hdf5Bytes& file, uint64_t header, uint8_t type,
                    const std::function<void(Hdf5Cursor)>& visit) {
  const Layout layout = read_header(file, header, type);
  if (layout.root.address == hdf5_undefined) return;
  Walk walk(file, layout.root);
  for (Node node{}; walk.next(node);) visit_node(file, layout, node, walk, visit);
}

}  // namespace limbic::weights
