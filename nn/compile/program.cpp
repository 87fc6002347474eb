#include "limbic/nn/compile/program.h"

#include <algorithm>

#include "limbic/core/parallel.h"
#include "limbic/nn/passes/passes.h"

namespace limbic {
namespace {

// A path that holds nothing is misspelt.
template <class Named>
void require_used(const std::vector<std::string>& paths, const char* option, const char* what,
                  const Named& named) {
  for (const std::string& path : paths)
    require(path.empty() || named(path), option, " '", path, "': no ", what,
            " has this name or lies within it");
}

// Names that say nothing of this graph are met here, not passed over.
void require_names(const Graph& graph, const PlanOptions& options) {
  const auto any_node = [&](const auto& holds) {
    return std::any_of(graph.nodes().begin(), graph.nodes().end(), holds);
  };
  require_used(options.frozen, "frozen", "parameter", [&](const std::string& path) {
    return any_node([&](const Node& node) {
      return std::any_of(node.parameters.begin(), node.parameters.end(),
                         [&](const std::string& name) { return lies_within(name, path); });
    });
  });
  require_used(options.full_precision, "full_precision", "layer", [&](const std::string& path) {
    return any_node([&](const Node& node) { return lies_within(node.name, path); });
  });
}

// The options with what follows from them and the graph.
PlanOptions complete(const Graph& graph, PlanOptions options) {
  require_dtype(options);
  require_names(graph, options);
  require(options.gradients || (options.keep_gradients.empty() && !options.input_gradient),
          "keep_gradients and input_gradient need PlanOptions::gradients");
  for (const char* output : {"features", "logits"})
    if (graph.labels().count(output)) options.keep.push_back(output);
  require(!options.keep.empty(),
          "the graph labels neither \"features\" nor \"logits\", and the "
          "plan keeps nothing: label an output");
  if (options.gradients) options.keep.push_back(options.loss_at);
  return options;
}

Graph rewrite(const Graph& graph, const PlanOptions& options) {
  const Graph fused = passes::apply(graph, options);
  return options.dtype == DType::i8 ? quantise(fused, options) : fused;
}

PlanOptions resized(PlanOptions options, Shape input) {
  require(!options.gradients && !options.batch_statistics,
          "a plan that trains shares its weights with no other");
  options.input = std::move(input);
  return options;
}

}  // namespace

Program::Program(const Graph& graph, const Parameters& parameters, PlanOptions options)
    : threads_(limbic::threads()),
      options_(complete(graph, std::move(options))),
      source_(graph),
      graph_(rewrite(graph, options_)),
      shapes_(graph_.infer(options_.input)),
      stored_(choose_dtypes(graph_, shapes_, options_)),
      roles_(find_roles(graph_, parameters, options_)),
      kernels_(compile(graph_, shapes_, stored_, roles_, parameters, options_)),
      weights_(std::make_shared<PackedWeights>(graph_, kernels_, options_.batch_statistics,
                                               options_.poison)),
      memory_(lay_out(graph_, shapes_, stored_, roles_, kernels_, options_)) {
  weights_->refresh(parameters);
}

Program::Program(const Program& like, Shape input, int threads)
    : threads_(threads > 0 ? threads : like.threads_),
      options_(resized(like.options_, std::move(input))),
      source_(like.source_),
      graph_(like.graph_),
      shapes_(graph_.infer(options_.input)),
      stored_(choose_dtypes(graph_, shapes_, options_)),
      roles_(find_roles(graph_, {}, options_)),
      kernels_([&] {
        const ThreadScope scope(threads_);
        return compile(graph_, shapes_, stored_, roles_, *like.weights_, options_);
      }()),
      weights_(like.weights_),
      memory_(lay_out(graph_, shapes_, stored_, roles_, kernels_, options_)) {}

Program::Convolutions Program::convolutions() const {
  Convolutions c;
  for (int n = 1; n < graph_.size(); ++n) {
    if (std::string(graph_.node(n).op->type()) != "conv2d") continue;
    ++c.all;
    c.in_8_bits += is_8_bit(stored_[graph_.node(n).src[0]].dtype);
  }
  return c;
}

int Program::kept(const std::string& name) const {
  const std::string& own = source_.node(source_.find(name)).name;
  for (const std::string& label : options_.keep)
    if (source_.node(source_.find(label)).name == own) return graph_.find(own);
  fail(name, ": not kept; name it in PlanOptions::keep");
}

int Program::kept_gradient(const std::string& name) const {
  const int node = source_.find(name);
  require(node != 0 || roles_.uses.is_gradient_kept(0), name,
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
