#include <algorithm>
#include <cmath>
#include <cstdio>

#include "cli/network.h"
#include "cli/pictures.h"
#include "cli/verbs.h"
#include "limbic/network/imagenet.h"
#include "limbic/network/predictor.h"
#include "limbic/network/read_batch.h"
#include "limbic/nn/ops/softmax.h"

namespace limbic::cli {
namespace {

struct Options {
  NetworkOptions network;
  PlanChoice plan;
  std::string labels;
  int64_t top = 5, batch_size = 8;
  Pictures pictures;
};

void print_picture(const Common& common, Pictures& pictures, const std::string& path,
                   std::span<const float> scores, const std::vector<std::string>& labels,
                   int64_t top, network::OutputKind kind) {
  std::vector<int64_t> order(scores.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
  top = std::min(top, static_cast<int64_t>(order.size()));
  std::partial_sort(order.begin(), order.begin() + top, order.end(), [&](int64_t a, int64_t b) {
    const float x = scores[static_cast<size_t>(a)], y = scores[static_cast<size_t>(b)];
    return x != y ? x > y : a < b;
  });
  nlohmann::ordered_json best = nlohmann::ordered_json::array();
  if (!common.json()) std::printf("%s\n", printable(path).c_str());
  for (int64_t k = 0; k < top; ++k) {
    const auto index = static_cast<size_t>(order[static_cast<size_t>(k)]);
    const std::string label = labels.empty() ? std::to_string(index) : labels[index];
    pictures.write(
        {path, std::to_string(k + 1), std::to_string(index), label, str_cat(scores[index])});
    if (common.json())
      best.push_back({{"index", index}, {"label", label}, {"probability", scores[index]}});
    else
      std::printf("  %6.2f %%  %s\n", 100.0 * static_cast<double>(scores[index]),
                  printable(label).c_str());
  }
  if (!common.json()) return;
  nlohmann::ordered_json line = {{"image", path}};
  if (kind == network::OutputKind::binary) line["kind"] = "binary";
  if (kind == network::OutputKind::multilabel) line["kind"] = "multilabel";
  line["top"] = best;
  print_json(line);
}

// Probabilities of a picture's classes. One output is that of yes (class 1) against no (class 0).
std::vector<float> probabilities(std::span<const float> logits, network::OutputKind kind) {
  const auto sigmoid = [](float x) { return 1 / (1 + std::exp(-x)); };
  std::vector<float> out(logits.begin(), logits.end());
  if (kind == network::OutputKind::classes)
    softmax_rows(logits, std::ssize(logits), out);
  else if (kind == network::OutputKind::binary)
    out = {1 - sigmoid(logits[0]), sigmoid(logits[0])};
  else
    for (float& p : out) p = sigmoid(p);
  return out;
}

// The names of the classes: the user's, the file's, ImageNet's where there are as many.
std::vector<std::string> labels_of(const Common& common, const Options& o,
                                   const network::Network& network) {
  const bool binary = network.kind == network::OutputKind::binary;
  const int64_t named = binary ? 2 : network.model.classes;
  if (!o.labels.empty()) return read_labels(o.labels, named);
  if (std::ssize(network.labels) == named) return network.labels;
  if (named != 1000) return {};
  note(common, "classes: ImageNet's names (the weights name none; --labels FILE names others)");
  return network::imagenet_classes();
}

int run(const Common& common, Options& o) {
  network::Network network = load_network(common, o.network);
  require_classifier(network, o.network.weights);
  const std::vector<std::string> labels = labels_of(common, o, network);
  o.pictures.open(common);
  o.pictures.write({"image", "rank", "index", "label", "probability"});
  const std::vector<std::string>& all = o.pictures.paths();
  const auto total = std::ssize(all);
  const int64_t batch = std::min(o.batch_size, total);
  std::vector<io::SkippedSample> uncalibrated;
  network::Predictor predictor(network.model, network.parameters,
                               o.plan.options(common, network, batch, all, uncalibrated));
  note_convolutions(common, predictor.plan());
  const int64_t classes = network.model.classes;
  const auto progress = progress_bar(common);
  const int calibrated = report_skipped(uncalibrated);
  for (int64_t begin = 0; begin < total; begin += batch) {
    const int64_t n = std::min(batch, total - begin);
    const std::vector<std::string> paths(all.begin() + begin, all.begin() + begin + n);
    const auto [images, errors] =
        network::read_batch(paths, network.preset, network::Unusable::keep_row);
    const Tensor scores = predictor.run(images);
    for (int64_t i = 0; i < n; ++i) {
      const std::string &path = paths[static_cast<size_t>(i)],
                        &error = errors[static_cast<size_t>(i)];
      if (error.empty()) {
        print_picture(common, o.pictures, o.pictures.shown(path),
                      probabilities(scores.values().subspan(static_cast<size_t>(i * classes),
                                                            static_cast<size_t>(classes)),
                                    network.kind),
                      labels, o.top, network.kind);
        continue;
      }
      if (common.json()) print_json({{"image", o.pictures.shown(path)}, {"error", error}});
      o.pictures.skip(path, error);
    }
    if (progress && total > batch)
      progress({.task = "classifying", .done = begin + n, .total = total});
  }
  const int status = o.pictures.finish();
  return status == done ? calibrated : status;
}

}  // namespace

void add_classify(const Verb& app, const Common& common, Action& action) {
  auto o = std::make_shared<Options>();
  const Verb verb =
      add_verb(app, action, "classify", "The most probable classes of photos.",
               "limbic classify --model squeezenet1_1 --weights squeezenet1_1.safetensors --labels "
               "labels.txt photo.jpg",
               o, run, common);
  o->network.add_to(verb, true);
  verb.add_option("--labels", o->labels,
                  "text file with one class name a line (default: the checkpoint's)");
  verb.add_option("--top", o->top, "how many classes to print").check(range(1, 100000));
  verb.add_option("--batch-size", o->batch_size, "pictures computed at once").check(range(1, 4096));
  o->plan.add_to(verb);
  o->pictures.add_to(verb);
}

}  // namespace limbic::cli
