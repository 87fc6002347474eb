#include "limbic/nn/compile/kernels.h"

#include <new>

#include "limbic/core/parallel.h"
#include "limbic/nn/cpu/tuner.h"

namespace limbic {
namespace {

// What a kernel is told before it is made.
class Builders {
 public:
  Builders(const Graph& graph, const PerNode<Stored>& stored, const Roles& roles,
           const PlanOptions& options)
      : graph_(graph),
        stored_(stored),
        roles_(roles),
        options_(options),
        shapes_(graph.infer(options.input)) {}

  KernelBuilder of(int n) const {
    const Node& node = graph_.node(n);
    KernelBuilder b;
    b.name = node.name;
    b.dst_shape = shapes_[n];
    b.dtype = stored_[n].dtype;
    b.scale = stored_[n].scale;
    b.seen = roles_.seen[n];
    b.gradients = options_.gradients && roles_.backward[n];
    b.dropout = options_.dropout;
    b.batch_statistics = options_.batch_statistics;
    b.winograd = options_.winograd;
    b.tune = options_.tune;
    b.node_key = hash_name(node.name.c_str());
    for (int s : node.src) {
      b.src_shapes.push_back(shapes_[s]);
      b.src_dtypes.push_back(stored_[s].dtype);
      b.src_scales.push_back(stored_[s].scale);
      b.diff_src.push_back(b.gradients && roles_.backward[s]);
    }
    const auto specs = node.op->parameters();
    for (size_t i = 0; i < specs.size(); ++i) {
      const bool frozen = is_frozen(node.parameters[i], options_);
      if (frozen && specs[i].statistic) b.batch_statistics = false;
      b.diff_parameters.push_back(b.gradients && specs[i].trainable && !frozen);
      b.packed.push_back(specs[i].dtype == DType::f32 ? onednn::canonical(specs[i].shape)
                                                      : onednn::Desc());
    }
    return b;
  }

 private:
  const Graph& graph_;
  const PerNode<Stored>& stored_;
  const Roles& roles_;
  const PlanOptions& options_;
  PerNode<Shape> shapes_;
};

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
void make_kernels(const Graph& graph, PerNode<CompiledKernel>& compiled, const Shape& input) {
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

PerNode<CompiledKernel> compile(const Graph& graph, const PerNode<Stored>& stored,
                                const Roles& roles, const Parameters& parameters,
                                const PlanOptions& options) {
  const Builders builders(graph, stored, roles, options);
  PerNode<CompiledKernel> compiled(graph.size());
  for (int n = 1; n < graph.size(); ++n) {
    const Node& node = graph.node(n);
    KernelBuilder& asked = compiled[n].asked = builders.of(n);
    const auto specs = node.op->parameters();
    for (size_t i = 0; i < specs.size(); ++i) {
      const Parameter& parameter = parameters.at(node.parameters[i]);
      require_fit(node.parameters[i], specs[i], parameter.value);
      asked.diff_parameters[i] =
          asked.gradients && parameter.trainable && !is_frozen(node.parameters[i], options);
    }
  }
  make_kernels(graph, compiled, options.input);
  if (options.tune) Tuner::shared().save();
  return compiled;
}

PerNode<CompiledKernel> compile(const Graph& graph, const PerNode<Stored>& stored,
                                const Roles& roles, const PackedWeights& weights,
                                const PlanOptions& options) {
  const Builders builders(graph, stored, roles, options);
  PerNode<CompiledKernel> compiled(graph.size());
  for (int n = 1; n < graph.size(); ++n) {
    KernelBuilder& asked = compiled[n].asked = builders.of(n);
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
