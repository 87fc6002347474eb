// Several processes that train together, here threads: what MPI does stands in tests/mpi.
#include <doctest/doctest.h>

#include <cmath>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "limbic/core/parallel.h"
#include "limbic/train/trainer.h"
#include "tests/text.h"
#include "tests/train/patterns.h"

using namespace limbic;
using namespace limbic::train;
using namespace limbic::testing;

namespace {

struct Together {
  explicit Together(int n) : size(n), all(static_cast<size_t>(n)) {}

  void meet() {
    std::unique_lock lock(mutex);
    const int64_t own = round;
    if (++here == size) {
      here = 0;
      ++round;
      changed.notify_all();
    } else {
      changed.wait(lock, [&] { return round != own || left; });
    }
    require(round != own, "another rank has left");
  }

  void leave() {
    const std::lock_guard lock(mutex);
    left = true;
    changed.notify_all();
  }

  std::mutex mutex;
  std::condition_variable changed;
  int here = 0;
  int64_t round = 0;
  bool left = false;
  int size;
  std::vector<std::vector<double>> all;
  std::vector<std::string> texts = std::vector<std::string>(all.size());
};

class ThreadCommunicator : public Communicator {
 public:
  ThreadCommunicator(Together& together, int rank) : t_(together), rank_(rank) {}
  int rank() const override { return rank_; }
  int size() const override { return t_.size; }
  void all_reduce_sum(std::span<double> values) override {
    t_.all[static_cast<size_t>(rank_)].assign(values.begin(), values.end());
    t_.meet();
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = 0;
      for (const auto& own : t_.all) values[i] += own[i];
    }
    t_.meet();
  }
  void start_sum(std::span<float> values) override {
    std::vector<double> wide(values.begin(), values.end());
    all_reduce_sum(wide);
    std::transform(wide.begin(), wide.end(), values.begin(),
                   [](double x) { return static_cast<float>(x); });
  }
  std::vector<std::string> gather(const std::string& own) override {
    t_.texts[static_cast<size_t>(rank_)] = own;
    t_.meet();
    std::vector<std::string> out = t_.texts;
    t_.meet();
    return out;
  }
  void broadcast(std::vector<uint8_t>& bytes) override {
    const auto all = gather(std::string(bytes.begin(), bytes.end()));
    bytes.assign(all[0].begin(), all[0].end());
  }
  void barrier() override { t_.meet(); }

 private:
  Together& t_;
  int rank_;
};

struct Run {
  std::vector<double> losses;
  Parameters parameters;
  TrainResult result;
  std::string error;
};

// The same training by `size` ranks; change() may give one of them other options.
std::vector<Run> train_together(
    const models::Model& model, const TrainData& data, const TrainOptions& options, int size,
    const std::function<void(int rank, TrainOptions&)>& change = [](int, TrainOptions&) {}) {
  Together together(size);
  std::vector<Run> runs(static_cast<size_t>(size));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank)
    threads.emplace_back([&, rank] {
      set_threads(1);
      Run& run = runs[static_cast<size_t>(rank)];
      ThreadCommunicator communicator(together, rank);
      TrainOptions o = options;
      if (size > 1) o.communicator = &communicator;
      change(rank, o);
      o.after_step = [&](int64_t, double loss) { run.losses.push_back(loss); };
      run.parameters = model.graph.initialise(1);
      run.error = error_of([&] { run.result = train::train(model, run.parameters, data, o); });
      if (!run.error.empty()) together.leave();
    });
  for (std::thread& t : threads) t.join();
  return runs;
}

double apart(double a, double b) { return std::abs(a - b) / std::abs(a); }

}  // namespace

TEST_CASE("ranks: shares differ by one at most and are all") {
  for (int size : {1, 2, 3, 7}) {
    Together together(size);
    for (int64_t n : {0, 1, 5, 64}) {
      int64_t end = 0;
      for (int rank = 0; rank < size; ++rank) {
        const Share s = share_of(n, ThreadCommunicator(together, rank));
        CHECK(s.begin == end);
        CHECK(s.size() >= n / size);
        CHECK(s.size() <= n / size + 1);
        end = s.end;
      }
      CHECK(end == n);
    }
  }
}

TEST_CASE("ranks: any number of them takes the same steps, with uneven batches and empty shares") {
  const Pictures p(5);  // 11 to learn from: with batches of 5 the last is of 1
  const models::Model model = models::build_model("resnet8", 3);
  TrainOptions o = quick(2);
  o.batch_size = 5;
  o.learning_rate = 0.002;
  o.keep_last_batch = true;
  o.sync_batch_norm = true;
  const Run alone = train_together(model, p.data, o, 1)[0];
  const int64_t n = p.data.train.size();
  REQUIRE(std::ssize(alone.losses) == 2 * ((n + 4) / 5));
  CHECK(n % 5 != 0);
  for (int size : {2, 3, 4}) {
    const std::vector<Run> runs = train_together(model, p.data, o, size);
    CAPTURE(size);
    for (const Run& run : runs) {
      CHECK(run.error == "");
      REQUIRE(run.losses.size() == alone.losses.size());
      for (size_t i = 0; i < 4; ++i) CHECK(apart(alone.losses[i], run.losses[i]) < 1e-5);
      CHECK(apart(alone.losses.back(), run.losses.back()) < 1e-2);
      CHECK(first_difference(runs[0].parameters, run.parameters) == "");
      CHECK(run.result.epochs.back().validation_loss ==
            runs[0].result.epochs.back().validation_loss);
    }
    CHECK(apart(alone.result.epochs[0].validation_loss, runs[0].result.epochs[0].validation_loss) <
          1e-3);
  }
  // In the weights' own layout on the wire.
  o.exchange.canonical = true;
  o.exchange.bucket_bytes = 1000;
  const std::vector<Run> runs = train_together(model, p.data, o, 2);
  for (size_t i = 0; i < 4; ++i) CHECK(apart(alone.losses[i], runs[0].losses[i]) < 1e-5);
}

TEST_CASE("ranks: with its own statistics each, the averages are what is validated and saved") {
  const Pictures p(8);
  const models::Model model = models::build_model("resnet8", 3);
  TrainOptions o = quick(2);
  o.batch_size = 6;
  o.out = p.folder / "run";
  const std::vector<Run> runs =
      train_together(model, p.data, o, 2, [&](int rank, TrainOptions& own) {
        if (rank > 0) own.out = p.folder / "other";
      });
  CHECK(runs[0].error == "");
  CHECK(first_difference(runs[0].parameters, runs[1].parameters) == "");
  CHECK(std::filesystem::exists(p.folder / "run/weights/last.safetensors"));
  CHECK(!std::filesystem::exists(p.folder / "other/weights/last.safetensors"));

  // Resumed on three ranks, of which rank 0 alone has the files.
  o.epochs = 3;
  o.resume = true;
  const std::vector<Run> more =
      train_together(model, p.data, o, 3, [&](int rank, TrainOptions& own) {
        if (rank > 0) own.out = p.folder / "third";
      });
  for (const Run& run : more) {
    CHECK(run.error == "");
    CHECK(run.result.resumed_step == std::ssize(runs[0].losses));
    CHECK(first_difference(more[0].parameters, run.parameters) == "");
  }
}

TEST_CASE("ranks: who was given something else is named") {
  const Pictures p(4);
  const models::Model model = models::build_model("resnet8", 3);
  for (const Run& run : train_together(model, p.data, quick(1), 3, [](int rank, TrainOptions&o) {
         if (rank == 2) o.learning_rate = 0.01;
       }))
    CHECK(run.error ==
          "rank 2 was given something else than rank 0: learning_rate is 0.05 there, its own is "
          "0.01");
  TrainOptions few = quick(1);
  few.batch_size = 2;
  for (const Run& run : train_together(model, p.data, few, 3))
    CHECK(run.error.find("a batch of 2 pictures for 3 ranks") != std::string::npos);
}
