#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <ostream>

#include "limbic/cli/output.h"
#include "limbic/core/file.h"
#include "limbic/explain/verb/options.h"
#include "limbic/network/predictor.h"
#include "limbic/report/text.h"
#include "limbic/session/session.h"
#include "limbic/walk/digits.h"
#include "limbic/walk/page.h"

namespace limbic::explain {
namespace {

using cli::Common;

void print_layers(const Common& common, const walk::Recording& r) {
  if (!common.json())
    std::printf("%-36s %-16s %-16s %9s %9s %9s  %s\n", "layer", "type", "output", "ms", "backward",
                "roofline", "computed by");
  for (int n = 1; n < r.graph.size(); ++n) {
    const Node& node = r.graph.node(n);
    const walk::Layer& l = r.layers[static_cast<size_t>(n)];
    const Shape& shape = r.shapes[static_cast<size_t>(n)];
    if (common.json())
      cli::print_json({{"name", node.name},
                       {"type", node.op->type()},
                       {"output", shape},
                       {"forward_ms", 1e3 * l.forward},
                       {"backward_ms", 1e3 * l.backward},
                       {"roofline_ms", 1e3 * l.roof},
                       {"macs", l.multiply_adds},
                       {"bytes", l.bytes},
                       {"implementation", l.implementation}});
    else
      std::printf("%-36s %-16s %-16s %9.4f %9.4f %9.4f  %s\n", node.name.c_str(), node.op->type(),
                  to_string(shape).c_str(), 1e3 * l.forward, 1e3 * l.backward, 1e3 * l.roof,
                  l.implementation.c_str());
  }
}

int write_walk(const Common& common, const Options& o, const walk::Recording& r,
               walk::Subject subject) {
  const std::string path = o.out.empty() ? "walk.html" : o.out;
  if (!o.layer.empty()) subject.start = walk::find_layer(r, o.layer);
  const walk::Page page = walk::render(r, subject);
  for (const std::string& layer : walk::not_shown(r))
    cli::note(common, layer + ": how it reads its source is not shown, its maps are");
  if (!page.selection.whole) cli::note(common, page.selection.text());
  write_atomically(path, [&](std::ostream& out) { out << page.html; });
  print_layers(common, r);
  if (!common.json())
    std::printf("%s: %.2f MB; open it in a browser\n", cli::printable(path).c_str(),
                static_cast<double>(page.html.size()) / 1e6);
  return cli::done;
}

io::Picture picture_of(const Tensor& image) {
  io::Picture out(image.dim(2), image.dim(3));
  for (int64_t p = 0; p < image.size(); ++p) {
    const float ink = std::clamp(image.data()[p], 0.0f, 1.0f);
    std::fill_n(out.pixels.begin() + 3 * p, 3, static_cast<uint8_t>(255 * (1 - ink)));
  }
  return out;
}

int walk_digits(const Common& common, const Options& o) {
  require(o.words.empty() && o.network.model.empty(),
          "--walk of a picture or --model needs --weights FILE; alone it draws a digit");
  std::vector<std::string> labels;
  for (int digit = 0; digit < 10; ++digit) labels.push_back(std::to_string(digit));
  const walk::Digits d = walk::train_digits(common.seed, cli::progress_bar(common));
  cli::end_progress();
  const walk::Recording r =
      walk::record(d.graph, d.parameters, d.image, find_class(labels, 10, o.class_name, -1));
  return write_walk(
      common, o, r,
      {.network = "LeNet",
       .about = str_cat("A LeNet that has just learned drawn digits, right on ",
                        report::percent_text(d.accuracy),
                        " of 320 that it had not seen; the picture is a ", d.label, "."),
       .labels = labels,
       .picture = picture_of(d.image)});
}

// Without folders, which are nobody's business who is shown the page.
std::string file_name(const std::string& path) {
  return std::filesystem::path(path).filename().string();
}

int walk_network(const Common& common, const Options& o) {
  require(o.words.size() == 1,
          "--walk needs one picture beside --weights; a model folder has several networks");
  const network::Network n = cli::load_network(common, o.network);
  cli::require_classifier(n, o.network.weights);
  std::vector<std::string> remarks;
  const std::vector<std::string> labels = session::class_names(n, o.labels, remarks);
  for (const std::string& remark : remarks) cli::note(common, remark);
  const io::Picture picture = io::decode_file(o.image(), n.preset.decode_options());
  Tensor image(network::input_shape(1, n.preset));
  io::preprocess(picture, n.preset, image.data());
  const int64_t c = find_class(labels, n.model.classes, o.class_name, -1);
  return write_walk(common, o, walk::record(n.model.graph, n.parameters, image, c),
                    {.network = n.model.name,
                     .about = str_cat("Weights of ", file_name(o.network.weights),
                                      "; the picture is ", file_name(o.image()), "."),
                     .labels = labels,
                     .picture = io::fit(picture, n.preset)});
}

}  // namespace

int run_walk(const Common& common, const Options& o) {
  require(o.methods.empty() && o.window == 0 && o.stride == 0,
          "--method, --window and --stride are of maps; leave them out with --walk");
  cli::require_writable(o.out.empty() ? "walk.html" : o.out);
  return o.network.weights.empty() ? walk_digits(common, o) : walk_network(common, o);
}

}  // namespace limbic::explain
