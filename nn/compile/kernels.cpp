#include "limbic/nn/compile/kernels.h"

#include <mutex>
#include <new>

#include "limbic/core/parallel.h"
#include "limbic/nn/cpu/tuner.h"

namespace limbic {
namespace {

// What each kernel is told before it is made.
PerNode<CompiledKernel> tell(const Graph& graph, const PerNode<Shape>& shapes,
                             const PerNode<Stored>& stored, const Roles& roles,
                             const PlanOptions& options) {
  PerNode<CompiledKernel> told(graph.size());
  for (int n = 1; n < graph.size(); ++n) {
    const Node& node = graph.node(n);
    KernelBuilder& b = told[n].asked;
    b.name = node.name;
    b.dst_shape = shapes[n];
    b.dtype = stored[n].dtype;
    b.scale = stored[n].scale;
    b.seen = roles.seen[n];
    b.gradients = roles.backward[n];
    b.dropout = options.dropout;
    b.batch_statistics = options.batch_statistics;
    b.reduce_statistics = options.reduce_statistics;
    b.winograd = options.winograd;
    b.tune = options.tune;
    b.node_key = hash_name(node.name.c_str());
    for (int s : node.src) {
      b.src_shapes.push_back(shapes[s]);
      b.src_dtypes.push_back(stored[s].dtype);
      b.src_scales.push_back(stored[s].scale);
      b.diff_src.push_back(roles.backward[n] && roles.backward[s]);
    }
    const auto specs = node.op->parameters();
    for (size_t i = 0; i < specs.size(); ++i) {
      const bool frozen = is_frozen(node.parameters[i], options);
      if (frozen && specs[i].statistic) b.batch_statistics = false;
      b.diff_parameters.push_back(b.gradients && !frozen);
      b.packed.push_back(specs[i].dtype == DType::f32 ? onednn::canonical(specs[i].shape)
                                                      : onednn::Desc());
    }
  }
  return told;
}

std::unique_ptr<Kernel> make_kernel(const Op& op, KernelBuilder& b, const Shape& input) {
  for (const DType src : b.src_dtypes)
    require(op.computes(src, b.dtype), b.name, ": ", op.type(), " does not compute ",
            to_string(b.dtype), " from ", to_string(src),
            " (Op::computes, nn/graph/graph.h); use a plan in F32");
  try {
    return op.compile(b);
  } catch (const std::bad_alloc&) {
    fail(b.name, ": out of memory for this ", op.type(), " on ", to_string(input));
  } catch (const dnnl::error& e) {
    fail(b.name, ": oneDNN cannot compute this ", op.type(), " on ", to_string(input), ": ",
         e.message);
  }
}

// oneDNN generates code for each primitive: worth all threads. What must be timed to choose an
// algorithm comes back empty, and follows with the machine to itself.
//
// One program at a time in a process: where one empties oneDNN's cache of primitives while another
// describes and makes its own, oneDNN 2.6 gives one layer the primitive of another, whose values
// are plausible and wrong.
void make_kernels(const Graph& graph, PerNode<CompiledKernel>& compiled, const Shape& input) {
  static std::mutex one_program;
  const std::lock_guard lock(one_program);
  parallel_for_dynamic(graph.size(), [&](int64_t index) {
    const int n = static_cast<int>(index);
    if (!graph.node(n).op) return;
    KernelBuilder builder = compiled[n].asked;
    builder.may_time = false;
    compiled[n].kernel = make_kernel(*graph.node(n).op, builder, input);
    if (compiled[n].kernel) compiled[n].asked = std::move(builder);
  });
  for (int n = 0; n < graph.size(); ++n)
    if (graph.node(n).op && !compiled[n].kernel)
      compiled[n].kernel = make_kernel(*graph.node(n).op, compiled[n].asked, input);
  onednn::forget_primitives();
}

}  // namespace

PerNode<CompiledKernel> compile(const Graph& graph, const PerNode<Shape>& shapes,
                                const PerNode<Stored>& stored, const Roles& roles,
                                const Parameters& parameters, const PlanOptions& options) {
  PerNode<CompiledKernel> compiled = tell(graph, shapes, stored, roles, options);
  for (int n = 1; n < graph.size(); ++n) {
    const Node& node = graph.node(n);
    KernelBuilder& asked = compiled[n].asked;
    const auto specs = node.op->parameters();
    for (size_t i = 0; i < specs.size(); ++i) {
      const Parameter& parameter = parameters.at(node.parameters[i]);
      require_fit(node.parameters[i], specs[i], parameter.value);
      if (!parameter.trainable) asked.diff_parameters[i] = false;
    }
  }
  make_kernels(graph, compiled, options.input);
  if (options.tune) Tuner::shared().save();
  return compiled;
}

PerNode<CompiledKernel> compile(const Graph& graph, const PerNode<Shape>& shapes,
                                const PerNode<Stored>& stored, const Roles& roles,
                                const PackedWeights& weights, const PlanOptions& options) {
  PerNode<CompiledKernel> compiled = tell(graph, shapes, stored, roles, options);
  for (int n = 1; n < graph.size(); ++n) {
    KernelBuilder& asked = compiled[n].asked;
    asked.like_packed = &weights.layouts(n);
    asked.like_packing = weights.packing(n);
  }
  make_kernels(graph, compiled, options.input);
  for (int n = 1; n < graph.size(); ++n)
    require(compiled[n].asked.packed == weights.layouts(n) &&
                compiled[n].kernel->packing() == weights.packing(n),
            graph.node(n).name, ": it packs its parameters otherwise for ",
            to_string(options.input), ": make a plan of its own");
  return compiled;
}

}  // namespace limbic
