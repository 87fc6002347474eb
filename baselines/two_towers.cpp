#include "limbic/baselines/two_towers.h"

#include "limbic/nn/ops/concat.h"
#include "limbic/nn/ops/linear.h"

namespace limbic::baselines {
namespace {

const std::string assistant = "assistant.";

// Appends the nodes of `from` up to its features, under `prefix`; its input is the graph's.
Value append_tower(Graph& graph, const Graph& from, const std::string& prefix) {
  const int last = from.find("features");
  PerNode<std::optional<int>> moved(from.size());
  for (int n = 0; n <= last; ++n) {
    Node node = from.node(n);
    if (!node.op) {
      moved[n] = 0;
      continue;
    }
    node.name = prefix + node.name;
    for (std::string& name : node.parameters) name = prefix + name;
    for (int& src : node.src) src = moved[src].value();
    moved[n] = graph.append_node(std::move(node));
  }
  graph.take_names(from, moved);
  return {&graph, *moved[last]};
}

}  // namespace

models::Model two_towers(const models::Model& single, int64_t classes, int64_t groups) {
  models::Model out{.name = single.name + "_assisted",
                    .graph = {},
                    .classes = classes,
                    .image_size = single.image_size,
                    .preset = single.preset,
                    .classifier = "head",
                    .stages = single.stages};
  Graph& g = out.graph;
  g.input(3);
  // Names are the last one's to take: labels are the first copy's.
  const Value second = append_tower(g, single.graph, assistant);
  const Value first = append_tower(g, single.graph, "");
  g.label("logits",
          linear(g.root() / "head", concat({first, second}), {.out_features = classes + groups}));
  return out;
}

void fill_towers(const Parameters& from, Parameters& towers) {
  for (const auto& [name, parameter] : from)
    for (const std::string& own : {name, assistant + name})
      if (towers.contains(own)) towers.set(own, parameter.value);
}

}  // namespace limbic::baselines
