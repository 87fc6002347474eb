// Trains over ranks, or alone, and prints the loss of every step and what each rank waited for: for
// comparing numbers of ranks (scripts/check_mpi.py, bench/mpi/link.sh).
//
//   train_steps MODEL DATA_FOLDER STEPS [sync] [keep] [ring] [bf16] [canonical] [no_overlap]
//     [frozen_bn] [batch=N] [freeze=PATH] [weights=FILE] [side=N] [samples=N] [lr=X]
#include <sys/resource.h>

#include <cstdio>
#include <map>
#include <set>

#include "limbic/core/clock.h"
#include "limbic/core/parallel.h"
#include "limbic/hash/hash.h"
#include "limbic/mpi/communicator.h"
#include "limbic/network/network.h"
#include "limbic/train/trainer.h"

using namespace limbic;

namespace {

struct Done {};

/// Tells what a rank waits for another's backward from what it waits for the network: sums begin
/// when all ranks are there.
class Together : public mpi::Communicator {
 public:
  void start_sum(std::span<float> values) override {
    const double start = now();
    if (apart) barrier();
    waited_for_ranks += now() - start;
    mpi::Communicator::start_sum(values);
  }
  bool apart = false;
  double waited_for_ranks = 0;
};

double peak_megabytes() {
  rusage usage;
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1e3;
}

int run(Together& together, int argc, char** argv) {
  std::set<std::string> flags;
  std::map<std::string, std::string> values = {{"batch", "64"}, {"side", "32"}, {"lr", "0.05"}};
  for (int i = 4; i < argc; ++i) {
    const std::string word = argv[i];
    const size_t at = word.find('=');
    if (at == word.npos)
      flags.insert(word);
    else
      values[word.substr(0, at)] = word.substr(at + 1);
  }
  set_threads(std::max(1, available_cores() / together.ranks_on_this_machine()));
  train::TrainData data;
  data.train = io::list_folders(argv[2]);
  if (values.contains("samples")) {
    auto kept = io::shuffle_order(data.train.size(), 1, 0);
    kept.resize(std::stoul(values["samples"]));
    io::Dataset some{data.train.classes, {}};
    for (const int64_t i : kept) some.samples.push_back(data.train.samples[static_cast<size_t>(i)]);
    data.train = std::move(some);
  }
  network::NetworkSource source;
  source.model = argv[1];
  source.weights = values["weights"];
  source.classes = std::ssize(data.train.classes);
  network::Network network = network::open_network(source);
  data.preset = io::with_image_size(network.preset, std::stoll(values["side"]));
  train::TrainOptions o;
  const int64_t steps = std::stoll(argv[3]);
  o.epochs = 1000;
  o.batch_size = std::stoll(values["batch"]);
  o.learning_rate = std::stod(values["lr"]);
  if (values.contains("freeze")) o.frozen = {values["freeze"]};
  if (flags.contains("frozen_bn"))
    for (const auto& [name, p] : network.parameters)
      if (name.ends_with(".running_mean")) o.frozen.push_back(name.substr(0, name.rfind('.')));
  o.keep_last_batch = flags.contains("keep");
  o.sync_batch_norm = flags.contains("sync");
  o.exchange.canonical = flags.contains("canonical");
  if ((together.apart = flags.contains("no_overlap")))
    o.exchange.bucket_bytes = int64_t{1} << 40;  // all at the end
  o.communicator = &together;
  together.configure(
      {.timeout = 60, .ring = flags.contains("ring"), .bf16 = flags.contains("bf16")});
  double start = 0, waited = 0, for_ranks = 0;
  int64_t bytes = 0;
  o.after_step = [&](int64_t step, double loss) {
    if (together.leads()) std::printf("step %ld %.17g\n", step, loss);
    if (step == 1) {
      start = now();
      waited = together.seconds_waited();
      for_ranks = together.waited_for_ranks;
      bytes = together.bytes_summed();
    }
    if (step < steps) return;
    const auto n = static_cast<double>(std::max<int64_t>(1, steps - 1));
    const auto all = together.gather(str_cat(
        "  rank ", together.rank(), ": ", 1e3 * (now() - start) / n, " ms a step, ",
        1e3 * (together.seconds_waited() - waited) / n, " ms of it waiting",
        together.apart
            ? str_cat(" (", 1e3 * (together.waited_for_ranks - for_ranks) / n, " for ranks)")
            : "",
        ", ", static_cast<double>(together.bytes_summed() - bytes) / n / 1e6, " MB, ",
        peak_megabytes(), " MB resident\n"));
    if (together.leads())
      for (const std::string& line : all) std::fprintf(stderr, "%s", line.c_str());
    throw Done();
  };
  try {
    train::train(network.model, network.parameters, data, o);
  } catch (const Done&) {
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  Together together;
  try {
    return run(together, argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "rank %d: %s\n", together.rank(), e.what());
    together.abort(1);
  }
}
