#include <cstdio>

#include "limbic/cli/network.h"
#include "limbic/cli/pictures.h"
#include "limbic/cli/verbs.h"
#include "limbic/session/session.h"

namespace limbic::cli {
namespace {

struct Options {
  NetworkOptions network;
  PlanChoice plan;
  std::string labels;
  int64_t top = 5, batch_size = 8;
  Pictures pictures;
};

void print_answer(const Common& common, Pictures& pictures, const std::string& path,
                  const session::Session& session, const session::Answer& answer, int64_t top) {
  const auto best = session::most_probable(answer.probabilities, top);
  if (common.json())
    std::printf("%s\n", session::to_json(session, answer, path, top).c_str());
  else
    std::printf("%s\n", printable(path).c_str());
  for (size_t k = 0; k < best.size(); ++k) {
    const auto index = static_cast<size_t>(best[k]);
    const std::string& label = session.labels()[index];
    const double probability = answer.probabilities[index];
    pictures.write(
        {path, std::to_string(k + 1), std::to_string(index), label, str_cat(probability)});
    if (!common.json())
      std::printf("  %6.2f %%  %s\n", 100.0 * probability, printable(label).c_str());
  }
}

int run(const Common& common, Options& o) {
  network::Network network = load_network(common, o.network);
  require_classifier(network, o.network.weights);
  std::vector<std::string> remarks;
  std::vector<std::string> labels = session::class_names(network, o.labels, remarks);
  for (const std::string& remark : remarks) note(common, remark);
  o.pictures.open(common);
  o.pictures.write({"image", "rank", "index", "label", "probability"});
  const std::vector<std::string>& all = o.pictures.paths();
  std::vector<io::SkippedSample> uncalibrated;
  const int64_t batch = std::min(o.batch_size, std::ssize(all));
  PlanOptions options = o.plan.options(common, network, batch, all, uncalibrated);
  const session::Session session(std::move(network), std::move(options), std::move(labels), batch);
  note_convolutions(common, session.program());
  const int calibrated = report_skipped(uncalibrated);
  const int status = answer_all(common, o.pictures, session, "classifying",
                                [&](const std::string& path, const session::Answer& answer) {
                                  print_answer(common, o.pictures, path, session, answer, o.top);
                                });
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
