#include "limbic/nn/compile/program.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "limbic/core/file.h"
#include "limbic/core/fingerprint.h"
#include "limbic/core/parallel.h"
#include "limbic/core/processor.h"
#include "limbic/nn/cpu/tuner.h"
#include "limbic/nn/ops/quantise.h"
#include "limbic/nn/passes/passes.h"

namespace limbic {

void Kernel::pack(std::span<const Tensor> canonical, std::span<const Buffer> packed) const {
  for (size_t i = 0; i < canonical.size(); ++i)
    if (packed[i].data)
      onednn::reorder_once(onednn::canonical(canonical[i].shape()), canonical[i].raw(),
                           packed[i].memory.get_desc(), packed[i].data);
}

namespace {

bool lies_within_any(const std::string& name, const std::vector<std::string>& paths) {
  return std::any_of(paths.begin(), paths.end(),
                     [&](const std::string& path) { return lies_within(name, path); });
}

// A path that holds nothing is misspelt.
template <class Named>
void require_used(const std::vector<std::string>& paths, const char* option, const char* what,
                  const Named& named) {
  for (const std::string& path : paths)
    require(path.empty() || named(path), option, " '", path, "': no ", what,
            " has this name or lies within it");
}

void require_dtype(const PlanOptions& o) {
  const DType dtype = o.dtype;
  require(dtype == DType::f32 || dtype == DType::bf16 || dtype == DType::i8,
          "a plan computes in F32, BF16 or I8, not in ", to_string(dtype));
  require(dtype != DType::bf16 || has_bf16_instructions(), processor_name(),
          " has no bf16 instructions (AVX512_BF16), without which bf16 is slower than f32: use "
          "f32");
  if (dtype != DType::i8) return;
  require(has_int8_instructions() || o.slow_int8, processor_name(),
          " has no int8 instructions (AVX512_VNNI), without which int8 is slower than f32: use "
          "f32");
  require(!o.gradients && !o.batch_statistics, "int8 is for inference: train in f32 or bf16");
  require(!o.calibration.empty(), "int8 needs a calibration (nn/quantise.h)");
}

std::vector<bool> marks(const Graph& graph, const std::vector<std::string>& names) {
  std::vector<bool> out(graph.nodes().size(), false);
  for (const auto& name : names) out[static_cast<size_t>(graph.find(name))] = true;
  return out;
}

// What a kernel reads without asking again.
void require_fit(const std::string& name, const ParameterSpec& spec, const Tensor& value) {
  require(value.shape() == spec.shape && value.dtype() == spec.dtype, name, ": expected ",
          to_string(spec.dtype), " ", to_string(spec.shape), ", got ", to_string(value.dtype()),
          " ", to_string(value.shape()));
}

}  // namespace

bool Program::is_frozen(const std::string& name) const {
  return lies_within_any(name, options_.frozen);
}

// Names that say nothing of this graph are met here, not passed over.
void Program::require_names() const {
  const auto any_node = [&](const auto& holds) {
    return std::any_of(source_.nodes().begin(), source_.nodes().end(), holds);
  };
  require_used(options_.frozen, "frozen", "parameter", [&](const std::string& path) {
    return any_node([&](const Node& node) {
      return std::any_of(node.parameters.begin(), node.parameters.end(),
                         [&](const std::string& name) { return lies_within(name, path); });
    });
  });
  require_used(options_.full_precision, "full_precision", "layer", [&](const std::string& path) {
    return any_node([&](const Node& node) { return lies_within(node.name, path); });
  });
  require(options_.gradients || (options_.keep_gradients.empty() && !options_.input_gradient),
          "keep_gradients and input_gradient need PlanOptions::gradients");
}

Program::Program(const Graph& graph, const Parameters& parameters, PlanOptions options)
    : options_(std::move(options)), source_(graph), threads_(limbic::threads()) {
  require_dtype(options_);
  require_names();
  for (const char* output : {"features", "logits"})
    if (graph.labels().count(output)) options_.keep.push_back(output);
  require(!options_.keep.empty(),
          "the graph labels neither \"features\" nor \"logits\", and the "
          "plan keeps nothing: label an output");
  if (options_.gradients) options_.keep.push_back(options_.loss_at);
  graph_ = options_.fuse ? apply_passes(graph, options_) : graph;
  shapes_ = graph_.infer(options_.input);
  if (options_.dtype == DType::i8) quantise_sources();
  kept_ = marks(graph_, options_.keep);
  kept_gradient_ = marks(graph_, options_.keep_gradients);
  if (options_.input_gradient) kept_gradient_[0] = true;
  if (options_.gradients) loss_node_ = graph_.find(options_.loss_at);

  const auto live = find_live();
  consumers_.resize(graph_.nodes().size());
  for (size_t n = 0; n < live.size(); ++n)
    if (live[n])
      for (int s : graph_.nodes()[n].src)
        consumers_[static_cast<size_t>(s)].push_back(static_cast<int>(n));
  seen_ = find_seen();
  const auto wants = find_gradients(live, parameters);
  for (const std::string& name : options_.keep_gradients)
    require(wants[static_cast<size_t>(graph_.find(name))], name, ": it has no gradient, as '",
            options_.loss_at, "' does not depend on it");
  compile_nodes(live, wants, parameters);
  if (options_.tune) Tuner::shared().save();
  if (options_.gradients && activation_bytes() > options_.recompute_above) choose_rebuilt();
  plan_values();
  share_memory();
  if (options_.gradients) plan_gradients();

  // Aliases have lengthened the lifetime of their target; they are not placed themselves.
  std::vector<Lifetime> lives;
  for (const Slice& slice : slices_) {
    lives.push_back(slice.alias < 0 ? slice.life : Lifetime{0, slice.life.first, slice.life.last});
    if (slice.alias < 0 && options_.poison) lives.back().bytes += PlanOptions::guard;
  }
  arena_ = lay_out(lives);
  for (size_t i = 0; i < slices_.size(); ++i)
    if (slices_[i].alias >= 0)
      arena_.offsets[i] = arena_.offsets[static_cast<size_t>(slices_[i].alias)];
  refresh(parameters);
}

std::vector<bool> Program::find_seen() const {
  const auto has_bias = [this](int node) {
    const auto& names = graph_.node(node).parameters;
    return std::any_of(names.begin(), names.end(),
                       [](const std::string& name) { return name.ends_with(".bias"); });
  };
  std::vector<bool> seen = kept_;
  for (size_t n = seen.size(); n-- > 0;)
    for (int reader : consumers_[n])
      if (seen[static_cast<size_t>(reader)] && !has_bias(reader)) seen[n] = true;
  return seen;
}

std::vector<bool> Program::find_live() const {
  std::vector<bool> live = kept_;
  for (size_t n = 0; n < live.size(); ++n) live[n] = live[n] || kept_gradient_[n];
  if (loss_node_ >= 0) live[static_cast<size_t>(loss_node_)] = true;
  for (size_t n = live.size(); n-- > 0;)
    if (live[n])
      for (int s : graph_.nodes()[n].src) live[static_cast<size_t>(s)] = true;
  live[0] = true;
  return live;
}

// A node's output has a gradient if the loss depends on it and it depends on something trainable.
std::vector<bool> Program::find_gradients(const std::vector<bool>& live,
                                          const Parameters& parameters) const {
  const auto& nodes = graph_.nodes();
  std::vector<bool> wants(nodes.size(), false), reaches_loss(nodes.size(), false);
  if (!options_.gradients) return wants;
  reaches_loss[static_cast<size_t>(loss_node_)] = true;
  for (size_t n = nodes.size(); n-- > 0;)
    if (reaches_loss[n])
      for (int s : nodes[n].src) reaches_loss[static_cast<size_t>(s)] = true;
  for (size_t n = 0; n < nodes.size(); ++n) {
    bool depends = kept_gradient_[n];
    for (const auto& name : nodes[n].parameters)
      depends = depends || (parameters.at(name).trainable && !is_frozen(name));
    for (int s : nodes[n].src) depends = depends || wants[static_cast<size_t>(s)];
    wants[n] =
        depends && live[n] && reaches_loss[n] && (!nodes[n].op || nodes[n].op->differentiable());
  }
  return wants;
}

// Which layers of an int8 plan stay wide: those that are named, and the last, behind which nothing
// has weights. A Linear that makes the scores is f32, so is a convolution that does.
std::vector<bool> Program::wide_layers() const {
  const auto& nodes = graph_.nodes();
  std::vector<bool> wide(nodes.size()), weights_behind(nodes.size(), false);
  for (size_t i = nodes.size(); i-- > 0;) {
    const bool has_weights = !nodes[i].parameters.empty();
    wide[i] = lies_within_any(nodes[i].name, options_.full_precision) ||
              (has_weights && !weights_behind[i]);
    for (int s : nodes[i].src)
      if (has_weights || weights_behind[i]) weights_behind[static_cast<size_t>(s)] = true;
  }
  return wide;
}

std::vector<DType> Program::dtypes() const {
  const size_t n = graph_.nodes().size();
  std::vector<DType> out;
  if (options_.dtype != DType::i8) {
    for (const Shape& shape : shapes_)
      out.push_back(shape.size() == 4 ? options_.dtype : DType::f32);
    return out;
  }
  const DType wide = has_bf16_instructions() ? DType::bf16 : DType::f32;
  std::vector<bool> keep_wide = marks(graph_, options_.keep);
  const std::vector<bool> wide_layer = wide_layers();
  for (size_t i = 0; i < n; ++i) {
    if (!wide_layer[i]) continue;  // so is what it reads
    keep_wide[i] = true;
    for (int s : graph_.nodes()[i].src) keep_wide[static_cast<size_t>(s)] = true;
  }
  return quantised_dtypes(graph_, shapes_, options_.calibration, wide, keep_wide);
}

// Whatever a convolution reads that is not stored in 8 bits is brought to them, unless it is the
// picture itself (few channels, and what is lost there is lost for all layers), the layer is to be
// wide, or nobody has measured the value's range.
void Program::quantise_sources() {
  std::vector<bool> convolutions = wide_layers();
  for (size_t i = 0; i < convolutions.size(); ++i) {
    const Node& node = graph_.nodes()[i];
    convolutions[i] = node.op && node.src[0] != 0 && !convolutions[i] &&
                      options_.calibration.count(graph_.node(node.src[0]).name) > 0;
  }
  graph_ = limbic::quantise_sources(graph_, dtypes(), convolutions);
  shapes_ = graph_.infer(options_.input);
}

void Program::choose_dtypes() {
  const std::vector<DType> chosen = dtypes();
  for (size_t i = 0; i < nodes_.size(); ++i) {
    nodes_[i].dtype = chosen[i];
    if (chosen[i] != DType::u8 && chosen[i] != DType::i8) continue;
    const Node& node = graph_.nodes()[i];
    const bool is_quantise = dynamic_cast<const Quantise*>(node.op.get()) != nullptr;
    const std::string& measured = is_quantise ? graph_.node(node.src[0]).name : node.name;
    const float range = std::max(options_.calibration.at(measured), 1e-6f);
    nodes_[i].scale = range / (chosen[i] == DType::u8 ? 255.0f : 127.0f);
  }
}

Program::Convolutions Program::convolutions() const {
  Convolutions c;
  for (size_t n = 0; n < nodes_.size(); ++n) {
    if (!nodes_[n].kernel || std::string(graph_.nodes()[n].op->type()) != "conv2d") continue;
    ++c.all;
    c.in_8_bits += !is_wide(nodes_[static_cast<size_t>(graph_.nodes()[n].src[0])].dtype);
  }
  return c;
}

KernelBuilder Program::builder_of(size_t n, const Parameters& parameters) const {
  const Node& node = graph_.nodes()[n];
  KernelBuilder builder;
  builder.name = node.name;
  builder.dst_shape = shapes_[n];
  builder.dtype = nodes_[n].dtype;
  builder.scale = nodes_[n].scale;
  builder.seen = seen_[n];
  builder.gradients = nodes_[n].backward;
  builder.dropout = options_.dropout;
  builder.batch_statistics = options_.batch_statistics;
  builder.winograd = options_.winograd;
  builder.tune = options_.tune;
  builder.node_key = hash_name(node.name.c_str());
  for (int s : node.src) {
    const auto source = static_cast<size_t>(s);
    builder.src_shapes.push_back(shapes_[source]);
    builder.src_dtypes.push_back(nodes_[source].dtype);
    builder.src_scales.push_back(nodes_[source].scale);
    builder.diff_src.push_back(nodes_[n].backward && nodes_[source].backward);
  }
  const auto specs = node.op->parameters();
  for (size_t i = 0; i < specs.size(); ++i) {
    const std::string& name = node.parameters[i];
    const Parameter& parameter = parameters.at(name);
    require_fit(name, specs[i], parameter.value);
    const bool frozen = is_frozen(name);
    if (frozen && specs[i].statistic) builder.batch_statistics = false;
    builder.diff_parameters.push_back(nodes_[n].backward && parameter.trainable && !frozen);
    builder.packed.push_back(specs[i].dtype == DType::f32 ? onednn::canonical(specs[i].shape)
                                                          : onednn::Desc());
  }
  return builder;
}

std::unique_ptr<Kernel> Program::compile(const Op& op, KernelBuilder& builder) const {
  for (const DType src : builder.src_dtypes)
    require(op.computes(src, builder.dtype), builder.name, ": ", op.type(), " does not compute ",
            to_string(builder.dtype), " from ", to_string(src),
            " (Op::computes, nn/graph/graph.h); use a plan in F32");
  try {
    return op.compile(builder);
  } catch (const std::bad_alloc&) {
    fail(builder.name, ": out of memory for this ", op.type(), " on ", to_string(options_.input));
  } catch (const dnnl::error& e) {
    fail(builder.name, ": oneDNN cannot compute this ", op.type(), " on ",
         to_string(options_.input), ": ", e.message);
  }
}

// Slices of the arena and packed parameters for what the kernel of node n has asked for.
void Program::take_in(size_t n, const KernelBuilder& builder) {
  const Node& node = graph_.nodes()[n];
  CompiledNode& compiled = nodes_[n];
  const int index = static_cast<int>(n);
  const auto specs = node.op->parameters();
  compiled.batch_statistics = builder.batch_statistics;
  for (size_t i = 0; i < builder.packed.size(); ++i) {
    PackedParameter packed;
    packed.desc = builder.packed[i];
    if (i < specs.size()) {
      packed.name = node.parameters[i];
      packed.shape = specs[i].shape;
    }
    packed.trainable = i < builder.diff_parameters.size() && builder.diff_parameters[i];
    packed.changes = packed.trainable || (builder.batch_statistics && i < specs.size() &&
                                          specs[i].statistic && options_.batch_statistics);
    if (packed.trainable)
      packed.gradient =
          add_slice(packed.desc, backward_step(index),
                    options_.keep_parameter_gradients ? last_step() : backward_step(index));
    compiled.packed.push_back(static_cast<int>(packed_.size()));
    packed_.push_back(std::move(packed));
  }
  for (const auto& extra : builder.extras) {
    using Life = KernelBuilder::Life;
    compiled.extras.push_back(
        add_slice(extra.desc, extra.life == Life::backward ? backward_step(index) : index,
                  extra.life == Life::forward ? index : backward_step(index)));
  }
}

void Program::compile_nodes(const std::vector<bool>& live, const std::vector<bool>& wants,
                            const Parameters& parameters) {
  const auto& nodes = graph_.nodes();
  nodes_.resize(nodes.size());
  choose_dtypes();
  std::vector<size_t> computed;
  for (size_t n = 0; n < nodes.size(); ++n) {
    nodes_[n].shape = shapes_[n];
    nodes_[n].backward = wants[n];
    nodes_[n].kept = kept_[n] && live[n];
    nodes_[n].kept_gradient = kept_gradient_[n] && wants[n];
    if (nodes[n].op && live[n]) computed.push_back(n);
  }
  std::vector<KernelBuilder> builders;
  for (size_t n : computed) builders.push_back(builder_of(n, parameters));
  // oneDNN generates code for each primitive: worth both cores. What must be timed to choose an
  // algorithm comes back empty, and follows with the machine to itself.
  parallel_for_dynamic(static_cast<int64_t>(computed.size()), [&](int64_t i) {
    const size_t at = static_cast<size_t>(i), n = computed[at];
    KernelBuilder builder = builders[at];
    builder.may_time = false;
    nodes_[n].kernel = compile(*nodes[n].op, builder);
    if (nodes_[n].kernel) builders[at] = std::move(builder);
  });
  for (size_t i = 0; i < computed.size(); ++i) {
    const size_t n = computed[i];
    if (!nodes_[n].kernel) nodes_[n].kernel = compile(*nodes[n].op, builders[i]);
    take_in(n, builders[i]);
  }
  allocate_packed();
}

// One block for all packed parameters: in huge pages where there are some, which are much faster to
// write for the first time than small ones.
void Program::allocate_packed() {
  constexpr int64_t line = 16;  // floats
  const auto floats = [](const PackedParameter& p) {
    return static_cast<int64_t>((p.desc.get_size() + 3) / 4);
  };
  int64_t total = 0;
  for (const PackedParameter& p : packed_) total += (floats(p) + line - 1) / line * line;
  const std::shared_ptr<void> block = allocate_aligned(total * 4, true);
  if (options_.poison) std::memset(block.get(), 0xFF, static_cast<size_t>(total * 4));
  auto* at = static_cast<float*>(block.get());
  for (PackedParameter& p : packed_) {
    p.value = Tensor::view(at, {floats(p)}, DType::f32, block);
    at += (floats(p) + line - 1) / line * line;
  }
}

void Program::refresh(const Parameters& parameters) {
  std::map<std::string, int64_t> tracked;
  for (size_t n = 0; n < nodes_.size(); ++n) {
    if (!nodes_[n].kernel) continue;
    const Node& node = graph_.nodes()[n];
    const auto specs = node.op->parameters();
    for (size_t i = 0; i < specs.size(); ++i) {
      const Tensor& value = parameters.at(node.parameters[i]).value;
      require_fit(node.parameters[i], specs[i], value);
      if (value.dtype() == DType::i64) tracked[node.parameters[i]] = value.data<int64_t>()[0];
    }
  }
  parallel_for_dynamic(static_cast<int64_t>(nodes_.size()), [&](int64_t index) {
    const auto n = static_cast<size_t>(index);
    if (nodes_[n].kernel) refresh_node(n, parameters);
  });
  is_packed_ = true;
  parameters.require_intact();
  batches_tracked_ = std::move(tracked);
}

void Program::refresh_node(size_t n, const Parameters& parameters) {
  CompiledNode& node = nodes_[n];
  const auto& names = graph_.nodes()[n].parameters;
  std::vector<Tensor> canonical;
  std::vector<uint64_t> prints;  // of a first packing nobody may ever ask: most plans are made once
  const size_t count = graph_.nodes()[n].op->parameters().size();
  for (size_t i = 0; i < count; ++i) {
    canonical.push_back(parameters.at(names[i]).value);
    if (is_packed_) prints.push_back(fingerprint(canonical.back()));
  }
  std::vector<Buffer> buffers;
  bool changes = false;
  for (int p : node.packed) {
    PackedParameter& packed = packed_[static_cast<size_t>(p)];
    void* data = packed.value.raw();
    changes = changes || packed.changes;
    buffers.push_back(packed.value.size() == 0
                          ? Buffer{}
                          : Buffer{dnnl::memory(packed.desc, onednn::engine(), data), data});
  }
  if (is_packed_ && prints == node.fingerprints && !changes) return;
  node.fingerprints.clear();  // should packing fail
  node.kernel->pack(canonical, buffers);
  node.fingerprints = prints;
  for (const std::string& name : names)
    if (const Parameter& p = parameters.at(name); p.shared)
      release_mapped(p.value.raw(), p.value.bytes());
}

int Program::kept(const std::string& name) const {
  const std::string& own = source_.node(source_.find(name)).name;
  for (const std::string& label : options_.keep)
    if (source_.node(source_.find(label)).name == own) return graph_.find(own);
  fail(name, ": not kept; name it in PlanOptions::keep");
}

int Program::kept_gradient(const std::string& name) const {
  const int node = source_.find(name);
  require(node != 0 || options_.input_gradient || kept_gradient_[0], name,
          ": its gradient is not kept; set PlanOptions::input_gradient");
  if (node == 0) return 0;
  const std::string& own = source_.node(node).name;
  for (const std::string& label : options_.keep_gradients)
    if (source_.node(source_.find(label)).name == own) return graph_.find(own);
  fail(name, ": its gradient is not kept; name it in PlanOptions::keep_gradients");
}

std::shared_ptr<void> Program::open_workspace() {
  const int others = workspaces_.fetch_add(1);
  const std::shared_ptr<void> workspace(this,
                                        [](void* p) { --static_cast<Program*>(p)->workspaces_; });
  require(others == 0 || !(options_.gradients || options_.batch_statistics),
          "a program that trains takes one Plan: another would write the same weights");
  return workspace;
}

}  // namespace limbic
