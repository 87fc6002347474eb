#pragma once
#include <utility>
#include <vector>

namespace limbic {

/// One value for each node of a graph, by the node's index.
template <class T>
class PerNode {
 public:
  PerNode() = default;
  explicit PerNode(int nodes, T value = {})
      : values_(static_cast<size_t>(nodes), std::move(value)) {}
  PerNode(std::vector<T> values) : values_(std::move(values)) {}  // NOLINT: it is one

  int size() const { return static_cast<int>(values_.size()); }
  decltype(auto) operator[](int node) { return values_[static_cast<size_t>(node)]; }
  decltype(auto) operator[](int node) const { return values_[static_cast<size_t>(node)]; }
  auto begin() { return values_.begin(); }
  auto end() { return values_.end(); }
  auto begin() const { return values_.begin(); }
  auto end() const { return values_.end(); }

 private:
  std::vector<T> values_;
};

}  // namespace limbic
