#include "limbic/nn/compile/memory.h"

#include <algorithm>

namespace limbic {
namespace {

class Planner {
 public:
  Planner(const Graph& graph, const PerNode<Shape>& shapes, const PerNode<Stored>& stored,
          const Roles& roles, const PerNode<CompiledKernel>& kernels, const PlanOptions& options)
      : graph_(graph),
        shapes_(shapes),
        stored_(stored),
        roles_(roles),
        kernels_(kernels),
        options_(options),
        steps_{graph.size()} {
    memory_.nodes = PerNode<NodeMemory>(graph.size());
  }

  Memory plan() {
    for (int n = 1; n < graph_.size(); ++n) take_in(n);
    if (options_.gradients && activation_bytes() > options_.recompute_above) choose_rebuilt();
    for (int n = 0; n < graph_.size(); ++n) plan_value(n);
    for (int n = 1; n < graph_.size(); ++n) share_memory(n);
    if (options_.gradients) plan_gradients();
    lay_out_arena();
    return std::move(memory_);
  }

 private:
  const Kernel* kernel(int n) const { return kernels_[n].kernel.get(); }
  bool has_backward(int n) const { return roles_.backward[n]; }
  NodeMemory& at(int n) { return memory_.nodes[n]; }
  Slice& slice(int index) { return memory_.slices[static_cast<size_t>(index)]; }
  onednn::Desc layout(int n) const { return onednn::channels_last(shapes_[n], stored_[n].dtype); }

  int add_slice(const onednn::Desc& desc, int first, int last) {
    memory_.slices.push_back({desc, {static_cast<int64_t>(desc.get_size()), first, last}, {}});
    return static_cast<int>(memory_.slices.size()) - 1;
  }

  // What the kernel of node n has asked for.
  void take_in(int n) {
    const KernelBuilder& asked = kernels_[n].asked;
    const int backward = steps_.backward(n);
    for (size_t i = 0; i < asked.packed.size(); ++i) {
      const bool trained = i < asked.diff_parameters.size() && asked.diff_parameters[i];
      at(n).diff_packed.emplace_back();
      if (trained)
        at(n).diff_packed.back() =
            add_slice(asked.packed[i], backward,
                      options_.keep_parameter_gradients ? steps_.last() : backward);
    }
    for (const auto& [desc, life] : asked.extras) {
      using Life = KernelBuilder::Life;
      at(n).extras.push_back(add_slice(desc, life == Life::backward ? backward : steps_.forward(n),
                                       life == Life::forward ? steps_.forward(n) : backward));
    }
  }

  int64_t activation_bytes() const {
    int64_t bytes = 0;
    for (int n = 1; n < graph_.size(); ++n) bytes += count(shapes_[n]) * size_of(stored_[n].dtype);
    return bytes;
  }

  // The first step of backward that reads node n's value; backward steps count up as nodes go down.
  int first_reader_in_backward(int n) const {
    int first = steps_.never();
    if (has_backward(n) && kernel(n) && kernel(n)->backward_reads_dst()) first = steps_.backward(n);
    for (int reader : roles_.uses.readers(n))
      if (has_backward(reader) && kernel(reader)->backward_reads_src())
        first = std::min(first, steps_.backward(reader));
    return first;
  }

  // A value is rebuilt in backward if its kernel can and somebody reads it there. It may be rebuilt
  // from values that are rebuilt themselves, so that of a chain of residual blocks only every few
  // are stored: the longer the chain, the more of it lives at once while it is rebuilt.
  void choose_rebuilt() {
    constexpr int longest_chain = 4;
    PerNode<std::optional<int>> first(graph_.size());
    PerNode<int> chain(graph_.size());
    for (int n = 1; n < graph_.size(); ++n) {
      if (!has_backward(n) || roles_.uses.is_kept(n) || !kernel(n)->can_recompute()) continue;
      const int reader = first_reader_in_backward(n);
      int length = 1;
      for (int s : graph_.node(n).src) length = std::max(length, 1 + chain[s]);
      if (reader == steps_.never() || length > longest_chain) continue;
      first[n] = reader;
      chain[n] = length;
    }
    for (int n = graph_.size(); n-- > 1;) {
      if (!first[n]) continue;
      for (int s : graph_.node(n).src)  // what it is rebuilt from must be there before it
        if (first[s]) first[s] = std::min(*first[s], *first[n]);
      at(n).value_again = add_slice(layout(n), *first[n], steps_.backward(n));
    }
    for (int n = 1; n < graph_.size(); ++n)
      if (first[n]) at(steps_.node_of(*first[n])).rebuild.push_back(n);
  }

  void plan_value(int n) {
    int last = steps_.forward(n);
    for (int reader : roles_.uses.readers(n)) last = std::max(last, steps_.forward(reader));
    const auto stays_for = [&](int reader) {  // until that node's backward
      last = std::max(last, steps_.backward(reader));
    };
    if (!at(n).value_again) {
      if (has_backward(n) && kernel(n) && kernel(n)->backward_reads_dst()) stays_for(n);
      for (int reader : roles_.uses.readers(n)) {
        if (has_backward(reader) && kernel(reader)->backward_reads_src()) stays_for(reader);
        if (at(reader).value_again) stays_for(reader);  // it is rebuilt from this one
      }
    }
    if (roles_.uses.is_kept(n)) last = steps_.last();
    at(n).value = add_slice(layout(n), steps_.forward(n), last);
  }

  // Node n may write over its first input if nobody else reads that, now or in backward.
  bool may_overwrite(int n) {
    const int s = graph_.node(n).src[0];
    return kernel(n)->may_overwrite_src() && s != 0 && !roles_.uses.is_kept(s) &&
           roles_.uses.readers(s).size() == 1 && shapes_[s] == shapes_[n] &&
           !(has_backward(n) && kernel(n)->backward_reads_src()) && is_free_after(n, s);
  }

  // Node n may add to its source's own memory if whoever else reads that has read it by then, and
  // nobody looks at it afterwards.
  bool may_accumulate(int n, int target) {
    const auto& src = graph_.node(n).src;
    const int memory = memory_.root(at(target).value);
    const auto reads = std::count_if(src.begin(), src.end(),
                                     [&](int s) { return memory_.root(at(s).value) == memory; });
    return target != 0 && !roles_.uses.is_kept(target) && reads == 1 && is_free_after(n, target);
  }

  // The memory may itself be shared: its last reader must be node n's forward.
  bool is_free_after(int n, int source) {
    return slice(memory_.root(at(source).value)).life.last <= steps_.forward(n);
  }

  void share_memory(int n) {
    std::optional<int> target;
    if (const int into = kernel(n)->accumulates_into(); into >= 0) {
      target = graph_.node(n).src[static_cast<size_t>(into)];
      if (!may_accumulate(n, *target)) at(n).copied_from = std::exchange(target, std::nullopt);
    } else if (may_overwrite(n)) {
      target = graph_.node(n).src[0];
    }
    if (!target) return;
    Slice& own = slice(at(n).value);
    own.alias = memory_.root(at(*target).value);
    Lifetime& shared = slice(*own.alias).life;
    shared.last = std::max(shared.last, own.life.last);
  }

  void plan_gradients() {
    for (int n = 0; n < graph_.size(); ++n) {
      if (!has_backward(n)) continue;
      int first = n == roles_.loss ? steps_.loss() : steps_.backward(n);
      for (int reader : roles_.uses.readers(n))
        if (has_backward(reader)) first = std::min(first, steps_.backward(reader));
      at(n).diff = add_slice(layout(n), first,
                             roles_.uses.is_gradient_kept(n) ? steps_.last() : steps_.backward(n));
    }
    // In backward order, the first reader writes a value's gradient, the others add to it. Of what
    // one node reads twice the plan adds the second: a kernel takes its sources in an order of its
    // own.
    PerNode<bool> written(graph_.size());
    written[*roles_.loss] = true;
    for (int n = graph_.size(); n-- > 1;) {
      if (!has_backward(n)) continue;
      const int step = steps_.backward(n);
      const auto& sources = graph_.node(n).src;
      for (auto source = sources.begin(); source != sources.end(); ++source) {
        const int s = *source;
        const auto diff = at(s).diff;
        const bool added = diff && written[s];
        const bool by_kernel =
            kernel(n)->can_add_gradient() && std::find(sources.begin(), source, s) == source;
        at(n).diff_src.push_back(
            {.slice = added && !by_kernel ? add_slice(slice(*diff).desc, step, step) : diff,
             .kernel_adds = added && by_kernel,
             .plan_adds = added && !by_kernel});
        written[s] = true;
      }
    }
  }

  void lay_out_arena() {
    // Aliases have lengthened the lifetime of their target; they are not placed themselves.
    std::vector<Lifetime> lives;
    for (const Slice& s : memory_.slices) {
      lives.push_back(s.alias ? Lifetime{0, s.life.first, s.life.last} : s.life);
      if (!s.alias && options_.poison) lives.back().bytes += PlanOptions::guard;
    }
    memory_.arena = limbic::lay_out(lives);
    auto& offsets = memory_.arena.offsets;
    for (size_t i = 0; i < offsets.size(); ++i)
      if (const auto alias = memory_.slices[i].alias)
        offsets[i] = offsets[static_cast<size_t>(*alias)];
  }

  const Graph& graph_;
  const PerNode<Shape>& shapes_;
  const PerNode<Stored>& stored_;
  const Roles& roles_;
  const PerNode<CompiledKernel>& kernels_;
  const PlanOptions& options_;
  Steps steps_;
  Memory memory_;
};

}  // namespace

Memory lay_out(const Graph& graph, const PerNode<Shape>& shapes, const PerNode<Stored>& stored,
               const Roles& roles, const PerNode<CompiledKernel>& kernels,
               const PlanOptions& options) {
  return Planner(graph, shapes, stored, roles, kernels, options).plan();
}

}  // namespace limbic
