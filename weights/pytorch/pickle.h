#pragma once
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "limbic/weights/budget.h"

namespace limbic::weights {

/// A value out of a pickle: a number itself, text as its place in the pickle, everything else as
/// the number of a node.
struct PickleValue {
  enum class Kind : uint8_t {
    none,
    boolean,
    integer,
    real,
    text,         ///< A string or bytes; Python 2 does not tell them apart.
    big_integer,  ///< Does not fit 64 bits.
    tuple,        ///< items: its elements. Frozen sets too.
    list,         ///< items: its elements. Sets too.
    dict,         ///< items: key, value, key, value...; of equal keys the last one holds.
    global,       ///< items: module, name.
    object,       ///< items: the callable, its arguments (a tuple), then its states and elements.
    persistent    ///< items: its id. PyTorch's storages.
  };
  Kind kind = Kind::none;
  uint32_t size = 0;  ///< Of text and big integers, in bytes.
  union {
    int64_t integer = 0;  ///< Also 0 and 1 of booleans.
    double real;
    uint64_t at;  ///< Where text begins; the node's number.
  };
};

/// What a Python pickle (protocols 2 to 5) describes. Nothing is ever called or imported: what
/// Python would build by calling something is an `object` that says what and with which arguments;
/// only dictionaries (dict, OrderedDict, defaultdict) are understood. Time and memory are linear in
/// the pickle's size, however it nests and repeats. Source: Python's pickletools.py.
class Pickle {
 public:
  using Value = PickleValue;
  using Kind = PickleValue::Kind;

  /// Reads the pickle at the front of `bytes`, which must outlive this. Throws Error "PATH: ..."
  /// where it is damaged, cut, or builds more than the budget allows.
  Pickle(std::string_view bytes, Budget& budget, std::string path);

  Value root() const { return root_; }
  /// Bytes up to its end.
  uint64_t size() const { return size_; }

  /// Of text and big integers; empty for others.
  std::string_view text(Value value) const;
  /// As Kind's comments say; empty for numbers and text.
  std::span<const Value> items(Value value) const;
  /// Whether it holds a persistent id, directly or in what it was made of.
  bool holds_persistent(Value value) const;
  /// Every persistent value that it makes, in its order.
  const std::vector<Value>& persistent() const { return persistent_; }

  /// The value of a text key; null if the dict has none or `dict` is something else.
  const Value* find(Value dict, std::string_view key) const;
  /// Whether it is this global; an empty module matches any.
  bool is_global(Value value, std::string_view module, std::string_view name) const;
  /// "torch._utils._rebuild_tensor_v2" of a global; of an object, what would be called for it, or
  /// the class that it is of.
  std::string name_of(Value value) const;

 private:
  friend class PickleReader;
  struct Node {
    std::vector<Value> items;
    bool holds_persistent = false;
  };

  bool is_node(Value value) const { return value.kind >= Kind::tuple; }
  const Node& node(Value value) const { return nodes_[value.at]; }

  std::string_view bytes_;
  std::deque<Node> nodes_;
  std::vector<Value> persistent_;
  Value root_;
  uint64_t size_ = 0;
};

}  // namespace limbic::weights
