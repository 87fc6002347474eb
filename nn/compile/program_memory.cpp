// Where a program keeps its values and gradients: which share memory, which are written over, which
// are computed again.
#include "limbic/nn/compile/program.h"

#include <algorithm>

namespace limbic {

int Program::add_slice(const onednn::Desc& desc, int first, int last) {
  const auto size = static_cast<int64_t>(desc.get_size());
  slices_.push_back({desc, {size, first, last}, -1});
  return static_cast<int>(slices_.size()) - 1;
}

// The first step of backward that reads node n's value; backward steps count up as nodes go down.
int Program::first_reader_in_backward(int node) const {
  const auto n = static_cast<size_t>(node);
  int first = last_step() + 1;
  if (nodes_[n].backward && nodes_[n].kernel && nodes_[n].kernel->backward_reads_dst())
    first = backward_step(node);
  for (int c : consumers_[n]) {
    const CompiledNode& consumer = nodes_[static_cast<size_t>(c)];
    if (consumer.backward && consumer.kernel->backward_reads_src())
      first = std::min(first, backward_step(c));
  }
  return first;
}

int64_t Program::activation_bytes() const {
  int64_t bytes = 0;
  for (size_t n = 0; n < nodes_.size(); ++n)
    if (nodes_[n].kernel) bytes += count(shapes_[n]) * size_of(nodes_[n].dtype);
  return bytes;
}

// A value is rebuilt in backward if its kernel can and somebody reads it there. It may be rebuilt
// from values that are rebuilt themselves, so that of a chain of residual blocks only every few
// are stored: the longer the chain, the more of it lives at once while it is rebuilt.
void Program::choose_rebuilt() {
  constexpr int longest_chain = 4;
  const int never = last_step() + 1;
  std::vector<int> first(nodes_.size(), never), chain(nodes_.size(), 0);
  for (size_t n = 1; n < nodes_.size(); ++n) {
    const CompiledNode& node = nodes_[n];
    if (!node.kernel || !node.backward || kept_[n] || !node.kernel->can_recompute()) continue;
    const int reader = first_reader_in_backward(static_cast<int>(n));
    int length = 1;
    for (int s : graph_.nodes()[n].src)
      length = std::max(length, 1 + chain[static_cast<size_t>(s)]);
    if (reader == never || length > longest_chain) continue;
    first[n] = reader;
    chain[n] = length;
  }
  for (size_t n = nodes_.size(); n-- > 1;) {
    if (first[n] == never) continue;
    const int self = static_cast<int>(n);
    for (int s : graph_.nodes()[n].src) {  // what it is rebuilt from must be there before it
      int& source = first[static_cast<size_t>(s)];
      if (source != never) source = std::min(source, first[n]);
    }
    nodes_[n].value_again = add_slice(onednn::channels_last(shapes_[n], nodes_[n].dtype), first[n],
                                      backward_step(self));
  }
  for (size_t n = 1; n < nodes_.size(); ++n)
    if (first[n] != never)
      nodes_[static_cast<size_t>(backward_step(0) - first[n])].rebuild.push_back(
          static_cast<int>(n));
}

void Program::plan_values() {
  for (size_t n = 0; n < nodes_.size(); ++n) {
    const int node = static_cast<int>(n);
    if (n > 0 && !nodes_[n].kernel) continue;
    int last = forward_step(node);
    for (int c : consumers_[n]) last = std::max(last, forward_step(c));
    const auto stays_for = [&](int reader) {  // until that node's backward
      last = std::max(last, backward_step(reader));
    };
    if (nodes_[n].value_again < 0) {
      if (nodes_[n].backward && nodes_[n].kernel && nodes_[n].kernel->backward_reads_dst())
        stays_for(node);
      for (int c : consumers_[n]) {
        const CompiledNode& consumer = nodes_[static_cast<size_t>(c)];
        if (consumer.backward && consumer.kernel->backward_reads_src()) stays_for(c);
        if (consumer.value_again >= 0) stays_for(c);  // it is rebuilt from this one
      }
    }
    if (kept_[n]) last = last_step();
    nodes_[n].value =
        add_slice(onednn::channels_last(shapes_[n], nodes_[n].dtype), forward_step(node), last);
  }
}

// Node n may write over its first input if nobody else reads that, now or in backward.
bool Program::may_overwrite(int node) const {
  const auto n = static_cast<size_t>(node);
  const CompiledNode& own = nodes_[n];
  if (!own.kernel->may_overwrite_src()) return false;
  const auto s = static_cast<size_t>(graph_.nodes()[n].src[0]);
  const CompiledNode& producer = nodes_[s];
  if (!producer.kernel || kept_[s] || consumers_[s].size() != 1) return false;
  if (shapes_[s] != shapes_[n]) return false;
  if (own.backward && own.kernel->backward_reads_src()) return false;
  // The memory may itself be shared: its last reader must be this node's forward.
  const int root = slices_[static_cast<size_t>(producer.value)].alias < 0
                       ? producer.value
                       : slices_[static_cast<size_t>(producer.value)].alias;
  return slices_[static_cast<size_t>(root)].life.last <= forward_step(node);
}

// Node n may add to its source's own memory if whoever else reads that has read it by then, and
// nobody looks at it afterwards.
bool Program::may_accumulate(int node, int target) const {
  const auto t = static_cast<size_t>(target);
  if (!nodes_[t].kernel || kept_[t]) return false;
  const auto memory_of = [&](int n) {
    const int value = nodes_[static_cast<size_t>(n)].value;
    const int alias = slices_[static_cast<size_t>(value)].alias;
    return alias < 0 ? value : alias;
  };
  const int memory = memory_of(target);
  const auto& src = graph_.nodes()[static_cast<size_t>(node)].src;
  const auto reads =
      std::count_if(src.begin(), src.end(), [&](int s) { return memory_of(s) == memory; });
  return reads == 1 && slices_[static_cast<size_t>(memory)].life.last <= forward_step(node);
}

void Program::share_memory() {
  for (size_t n = 0; n < nodes_.size(); ++n) {
    if (!nodes_[n].kernel) continue;
    int target = -1;
    const int into = nodes_[n].kernel->accumulates_into(), self = static_cast<int>(n);
    if (into >= 0)
      target = graph_.nodes()[n].src[static_cast<size_t>(into)];
    else if (may_overwrite(self))
      target = graph_.nodes()[n].src[0];
    if (into >= 0 && !may_accumulate(self, target)) {
      nodes_[n].copied_from = target;
      target = -1;
    }
    if (target < 0) continue;
    const int value = nodes_[static_cast<size_t>(target)].value;
    Slice& own = slices_[static_cast<size_t>(nodes_[n].value)];
    const int alias = slices_[static_cast<size_t>(value)].alias;
    own.alias = alias < 0 ? value : alias;
    Lifetime& shared = slices_[static_cast<size_t>(own.alias)].life;
    shared.last = std::max(shared.last, own.life.last);
  }
}

void Program::plan_gradients() {
  const int start = static_cast<int>(nodes_.size());
  const auto layout = [&](size_t n) { return onednn::channels_last(shapes_[n], nodes_[n].dtype); };
  for (size_t n = 0; n < nodes_.size(); ++n) {
    if (!nodes_[n].backward) continue;
    int first = static_cast<int>(n) == loss_node_ ? start : backward_step(static_cast<int>(n));
    for (int c : consumers_[n])
      if (nodes_[static_cast<size_t>(c)].backward) first = std::min(first, backward_step(c));
    nodes_[n].diff = add_slice(
        layout(n), first, kept_gradient_[n] ? last_step() : backward_step(static_cast<int>(n)));
  }
  // In backward order, the first consumer writes a value's gradient, the others add to it.
  std::vector<bool> written(nodes_.size(), false);
  written[static_cast<size_t>(loss_node_)] = true;
  for (size_t n = nodes_.size(); n-- > 0;) {
    CompiledNode& node = nodes_[n];
    if (!node.backward || !node.kernel) continue;
    for (int s : graph_.nodes()[n].src) {
      const auto source = static_cast<size_t>(s);
      const int diff = nodes_[source].diff;
      const bool added = diff >= 0 && written[source], by_kernel = node.kernel->can_add_gradient();
      const int step = backward_step(static_cast<int>(n));
      node.diff_src.push_back(added && !by_kernel
                                  ? add_slice(slices_[static_cast<size_t>(diff)].desc, step, step)
                                  : diff);
      node.diff_src_adds.push_back(added && by_kernel);
      node.diff_src_is_added.push_back(added && !by_kernel);
      written[source] = true;
    }
  }
}

}  // namespace limbic
