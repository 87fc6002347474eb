#include "limbic/explain/verb/verb.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ostream>

#include "limbic/cli/output.h"
#include "limbic/core/file.h"
#include "limbic/explain/emotion.h"
#include "limbic/explain/page.h"
#include "limbic/explain/verb/answer.h"
#include "limbic/explain/verb/options.h"
#include "limbic/network/predictor.h"
#include "limbic/report/text.h"
#include "limbic/session/session.h"

namespace limbic::explain {

int64_t find_class(const std::vector<std::string>& labels, int64_t classes, const std::string& name,
                   int64_t answer) {
  if (name.empty()) return answer;
  for (size_t c = 0; c < labels.size(); ++c) {
    if (labels[c] == name) return static_cast<int64_t>(c);
    for (size_t at = 0; at < labels[c].size();) {
      const size_t comma = std::min(labels[c].find(", ", at), labels[c].size());
      if (labels[c].substr(at, comma - at) == name) return static_cast<int64_t>(c);
      at = comma + 2;
    }
  }
  const bool number = name.size() < 10 && name.find_first_not_of("0123456789") == name.npos;
  if (number && std::stoll(name) < classes) return std::stoll(name);
  std::string known;
  for (size_t c = 0; c < std::min<size_t>(labels.size(), 8); ++c) known += labels[c] + "; ";
  fail("no class '", name, "'; expected ", known, labels.size() > 8 ? "... " : "",
       "or a number from 0 to ", classes - 1);
}

namespace {

using cli::Common;

constexpr size_t most_page_bytes = 5'000'000;

// The filters of the first convolution, and of the nearest before a layer.
std::vector<std::pair<std::string, Tensor>> find_filters(const network::Network& n,
                                                         const std::string& layer) {
  const Graph& g = n.model.graph;
  std::vector<std::pair<std::string, Tensor>> out;
  const auto add = [&](int node) {
    for (const std::string& name : g.node(node).parameters)
      if (const Tensor& value = n.parameters.at(name).value; value.rank() == 4)
        if (out.empty() || out[0].first != name) return out.emplace_back(name, value), true;
    return false;
  };
  for (int node = 1; node < g.size() && !add(node);) ++node;
  for (int node = layer.empty() ? 0 : g.find(layer); node > 0 && !add(node);)
    node = g.node(node).src[0];
  return out;
}

struct Asked {
  const network::Network& network;
  std::string name, through;
  Head head;
};

// All maps of one network; prints its lines, or objects.
Explained explain_network(const Common& common, const Options& o, const Asked& asked,
                          const io::Picture& decoded, int64_t c, const std::string& class_name) {
  const network::Network& n = asked.network;
  const Shape input = network::input_shape(1, n.preset);
  Explainer explainer(n.model.graph, n.parameters,
                      {.input = input,
                       .layer = o.layer,
                       .head = asked.head,
                       .window = o.window,
                       .stride = o.stride,
                       .progress = cli::progress_bar(common)});
  const Tensor image = prepared(decoded, n.preset);
  Explained e{.name = asked.name, .through = asked.through, .layer = explainer.layer()};
  e.picture = io::fit(decoded, n.preset);
  e.probability = explainer.probabilities(image)[static_cast<size_t>(c)];
  std::vector<Method> wanted;
  for (const std::string& name : o.methods) wanted.push_back(method_of(name));
  if (wanted.empty())
    for (const MethodInfo& m : methods())
      if (m.method != Method::score_cam && m.method != Method::guided_gradient &&
          !(m.of_layer && e.layer.empty()))
        wanted.push_back(m.method);
  for (const Method method : wanted) {
    e.maps.emplace_back(method, explainer.map(method, image, c));
    const Map& map = e.maps.back().second;
    const Faithfulness& f = e.faithfulness.emplace_back(explainer.faithfulness(image, c, map));
    const std::string of = info(method).of_layer ? e.layer : "input";
    if (!common.json()) continue;
    cli::print_json({{"image", o.image()},
                     {"class", class_name},
                     {"method", info(method).name},
                     {"layer", o.emotion() ? asked.name + "/" + of : of},
                     {"map", rows_of(map)},
                     {"deletion", f.deletion},
                     {"insertion", f.insertion}});
  }
  if (!common.json() || !o.out.empty())
    e.random = explainer.random_faithfulness(image, c, 3, common.seed);
  if (!e.layer.empty()) e.features = explainer.features(image);
  e.filters = find_filters(n, e.layer);
  cli::end_progress();
  if (common.json()) return e;
  std::printf("%s  %s %s\n", cli::printable(asked.name).c_str(), cli::printable(class_name).c_str(),
              cli::percent(e.probability).c_str());
  std::printf("  %-18s %-24s %9s %9s\n", "method", "map of", "deletion", "insertion");
  for (size_t i = 0; i < e.maps.size(); ++i) {
    const MethodInfo& m = info(e.maps[i].first);
    std::printf("  %-18s %-24s %9.3f %9.3f\n", m.name, m.of_layer ? e.layer.c_str() : "input",
                e.faithfulness[i].deletion, e.faithfulness[i].insertion);
  }
  std::printf("  %-18s %-24s %9.3f %9.3f\n", "random maps", "", e.random.deletion,
              e.random.insertion);
  return e;
}

void write_page(const std::string& path, report::Report page) {
  page.subtitle = cli::command_line();
  const std::string html = report::render_html(page);
  require(html.size() <= most_page_bytes, path, ": the page would have ", html.size(),
          " bytes, more than ", most_page_bytes, "; ask for fewer with --method");
  write_atomically(path, [&](std::ostream& out) { out << html; });
}

int run_network(const Common& common, const Options& o) {
  const network::Network network = cli::load_network(common, o.network);
  cli::require_classifier(network, o.network.weights);
  std::vector<std::string> remarks;
  std::vector<std::string> labels = session::class_names(network, o.labels, remarks);
  for (const std::string& remark : remarks) cli::note(common, remark);
  const io::Picture picture = io::decode_file(o.image(), network.preset.decode_options());
  const Tensor image = prepared(picture, network.preset);
  network::Predictor predictor(network.model, network.parameters, image.shape());
  const Head head{.kind = network.kind};
  const std::vector<double> p = head.probabilities(predictor.run(image).values());
  const int64_t answer = session::most_probable(p, 1)[0];
  const int64_t c = find_class(labels, std::ssize(p), o.class_name, answer);
  const auto name = [&](int64_t k) {
    return labels.empty() ? std::to_string(k) : labels[static_cast<size_t>(k)];
  };
  const Explained e =
      explain_network(common, o, {network, network.model.name, "", head}, picture, c, name(c));
  if (o.out.empty()) return cli::done;
  report::Report page{.title = "What " + network.model.name + " saw in " + o.image()};
  page.add(report::Report::Paragraphs{
      {"The answer is " + name(answer) + ", with a probability of " +
       report::percent_text(p[static_cast<size_t>(answer)]) + ". Explained is " + name(c) + ", " +
       report::percent_text(p[static_cast<size_t>(c)]) + "."}});
  add_sections(page, e, name(c));
  write_page(o.out, std::move(page));
  return cli::done;
}

void print_decision(const Common& common, const emotion::EmotionModel& model, const Decision& d,
                    const std::string& class_name) {
  if (common.json()) return;
  std::printf("the SVM's mean decision for %s: %.3f\n", cli::printable(class_name).c_str(),
              d.decision);
  for (const Decision::Contribution& b : d.contributions)
    std::printf("  without %-12s %+.3f\n", cli::printable(b.role).c_str(), -b.drop);
  for (const Decision::Neighbour& n : d.neighbours)
    std::printf("  support vector %6ld  %-12s at %.3f\n", n.index,
                cli::printable(model.classes[static_cast<size_t>(n.label)]).c_str(), n.distance);
}

void add_decision(report::Report& page, const emotion::EmotionModel& model, const Decision& d,
                  const std::string& class_name) {
  report::Report::Table blocks{
      .title = "What each block did for " + class_name,
      .explanation =
          str_cat("The mean over the SVM's pairs of the decision value for ", class_name, " is ",
                  report::number_text(d.decision, 3),
                  "; a block's part is how far it falls when the block becomes its mean over the "
                  "training pictures. The parts need not sum to the whole."),
      .columns = {{"block"}, {"features", true}, {"part", true}}};
  for (const Decision::Contribution& b : d.contributions)
    blocks.rows.push_back({b.role, std::to_string(b.width), report::number_text(b.drop, 3)});
  page.add(std::move(blocks));
  add_neighbours(page, model, d);
}

int run_emotion(const Common& common, const Options& o) {
  const emotion::EmotionModel model = emotion::load_model(o.words[0]);
  const std::vector<uint8_t> file = read_file(o.image(), io::most_picture_bytes);
  const std::vector<Tensor> blocks = blocks_of(model, file, o.image());
  const int64_t classes = std::ssize(model.classes);
  const auto first = emotion::classify(model.classifier, model.roles(), blocks, classes);
  const int64_t c = find_class(model.classes, classes, o.class_name, first.labels[0]);
  const std::string& name = model.classes[static_cast<size_t>(c)];
  const Decision decision = explain_decision(model, blocks, c);
  report::Report page{.title = "What the model saw in " + o.image()};
  const double* p = decision.prediction.probabilities.data<double>();
  page.add(report::Report::Paragraphs{
      {"The answer is " + model.classes[static_cast<size_t>(first.labels[0])] +
       ", with a probability of " + report::percent_text(p[first.labels[0]]) + ". Explained is " +
       name + ", " + report::percent_text(p[c]) + "."}});
  print_decision(common, model, decision, name);
  add_decision(page, model, decision, name);
  for (size_t b = 0; b < model.branches.size(); ++b) {
    const emotion::Branch& branch = model.branches[b];
    const BranchHead head = head_of(model, b, blocks);
    const Explained e = explain_network(
        common, o,
        {branch.network, branch.role,
         head.own_classifier ? "The maps go through the network's own classifier of the emotions."
                             : "The maps go through the fused dense layer's weights of this block, "
                               "the other blocks "
                               "standing as they are.",
         head.head},
        io::decode(file, o.image(), branch.network.preset.decode_options()), c, name);
    if (!o.out.empty()) add_sections(page, e, name);
  }
  if (!o.out.empty()) write_page(o.out, std::move(page));
  return cli::done;
}

int run(const Common& common, Options& o) {
  if (o.walk) return run_walk(common, o);
  if (o.words.empty()) {
    std::fprintf(stderr, "limbic: explain: inputs is required: [MODEL_DIR] IMAGE\n");
    return cli::wrong_usage;
  }
  cli::require_writable(o.out);
  require(o.words.size() <= 2, "expected one picture, got ", o.words.size(), " words");
  if (o.emotion()) {
    require(o.network.weights.empty() && o.network.model.empty(),
            "a model folder has its networks in it: leave out --model and --weights, or give the "
            "picture alone");
    return run_emotion(common, o);
  }
  require(!o.network.weights.empty(),
          "expected a model folder and a picture, or --weights FILE and "
          "a picture");
  return run_network(common, o);
}

}  // namespace

void add_explain(const cli::Verb& app, const Common& common, cli::Action& action) {
  auto o = std::make_shared<Options>();
  const cli::Verb verb = cli::add_verb(
      app, action, "explain", "What a network saw in a photo: maps, feature maps, decision.",
      "limbic explain --model squeezenet1_1 --weights squeezenet1_1.safetensors photo.jpg --out "
      "page.html",
      o, run, common);
  verb.add_option("inputs", o->words, "[MODEL_DIR] IMAGE: a model folder made by fit, and a photo");
  verb.add_flag("--walk", o->walk,
                "a page in which the picture passes through the network layer by layer (default: "
                "walk.html); without --weights a drawn digit through a LeNet that learns it first");
  o->network.add_to(verb, false);
  std::vector<std::string> names;
  for (const MethodInfo& m : methods()) names.emplace_back(m.name);
  verb.add_option("--method", o->methods,
                  "grad-cam, grad-cam++, score-cam, eigen-cam, gradient-x-input, guided-gradient, "
                  "occlusion; several by commas (default: all but score-cam, which takes long, and "
                  "guided-gradient)")
      .delimiter(',')
      .check(cli::one_of(names));
  verb.add_option("--class", o->class_name, "name or number of a class (default: the answer)");
  verb.add_option(
      "--layer", o->layer,
      "feature maps to explain (default: the last that features are averaged from); of a walk "
      "the layer that it begins at");
  verb.add_option("--labels", o->labels,
                  "text file with one class name a line (default: the checkpoint's)");
  verb.add_option("--window", o->window,
                  "side of occlusion's window in pixels (0: a seventh of the picture's)")
      .check(cli::range(0, 4096));
  verb.add_option("--stride", o->stride, "pixels that it moves (0: half the window)")
      .check(cli::range(0, 4096));
  verb.add_option("--out", o->out, "the page: one HTML file");
}

}  // namespace limbic::explain
