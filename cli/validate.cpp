#include <cstdio>

#include "limbic/cli/network.h"
#include "limbic/cli/verbs.h"
#include "limbic/network/predictor.h"

namespace limbic::cli {
namespace {

struct Options {
  NetworkOptions network;
  std::string data;
  int64_t batch_size = 32;
};

int run(const Common& common, Options& o) {
  network::Network network = load_network(common, o.network);
  require_classifier(network, o.network.weights);
  require(network.kind != network::OutputKind::multilabel, o.network.weights,
          ": its outputs are not one of several classes (sigmoids), and validate scores those");
  const io::Dataset data = list_labelled(common, o.data, network);
  const int64_t batch = std::min(o.batch_size, data.size());
  io::Loader loader(data, network.preset, std::nullopt, {.batch_size = batch, .cache_bytes = 0});
  network::Predictor predictor(network.model, network.parameters,
                               network::input_shape(batch, network.preset));
  const network::Outputs out = predictor.run(loader, "validating", progress_bar(common));
  const network::Evaluation e = network::evaluate_logits(out.values, out.labels);
  if (common.json()) {
    print_json({{"accuracy", e.accuracy},
                {"top5", e.top5},
                {"loss", e.loss},
                {"samples", e.samples},
                {"per_class", report_json(data.classes, e.confusion)},
                {"confusion", e.confusion},
                {"classes", data.classes}});
  } else {
    std::printf(" * Acc@1 %.3f (%.3f)  Acc@5 %.3f  loss %.4f  on %ld pictures\n", 100 * e.accuracy,
                100 * (1 - e.accuracy), 100 * e.top5, e.loss, e.samples);
    if (data.classes.size() <= 20) print_report(data.classes, e.confusion);
  }
  return report_skipped(loader.skipped(), data);
}

}  // namespace

void add_validate(const Verb& app, const Common& common, Action& action) {
  auto o = std::make_shared<Options>();
  const Verb verb = add_verb(
      app, action, "validate", "A CNN's top-1, top-5 and loss on labelled photos.",
      "limbic validate --data photos/val --model resnet20 --weights run/weights/final.safetensors",
      o, run, common);
  verb.add_option("--data", o->data,
                  "folder with one sub-folder a class, named as the weights name it or, where they "
                  "do not, in the alphabetical order of the network's classes")
      .required();
  verb.add_option("--batch-size", o->batch_size, "pictures computed at once").check(range(1, 4096));
  o->network.add_to(verb, true);
}

}  // namespace limbic::cli
